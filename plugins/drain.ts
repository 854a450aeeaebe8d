/** Which requests run and on which connections, so that stopping can wait for the ones and be held up by none of the others. */
import type { ServerResponse } from 'node:http'
import { Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    readonly drain: Drain
  }
}

export interface Drain {
  /** How many requests have no complete answer yet, on whichever listener. */
  readonly running: number
  /** Fulfilled when every request that runs now has its answer, or has gone. */
  afterRunning(): Promise<void>
  /** From now on every answer ends its connection. Closing the application begins by itself. */
  begin(): void
  /** Takes no new connections. On those that there are everything is still served. */
  stopListening(): Promise<void>
  /** Ends the connections of what still runs, in the middle of its answer. */
  cut(): void
  /** Says that the grace is given up: whoever waits for something while it closes waits a moment at most. */
  hurry(): void
  /** Fulfilled by that. */
  readonly hurried: Promise<void>
}

/** How long a connection may take, once the application closes, to come up with the request it was opened for. */
const unusedMs = 500

/** Somebody waits for the end of these. */
interface Waiting {
  readonly left: Set<ServerResponse>
  readonly resolve: () => void
}

/**
 * Node closes what is idle when a server closes, but not what becomes idle afterwards (a finished stream would hold the
 * exit until its keep-alive ends) and not a connection that has never asked for anything, as browsers open in advance.
 */
export default fp(
  async (app: FastifyInstance) => {
    const running = new Set<ServerResponse>()
    const sockets = new Set<Socket>()
    const waiting = new Set<Waiting>()
    let [hasBegun, isClosing] = [false, false]
    const hurried = Promise.withResolvers<void>()

    app.server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    app.addHook('onRequest', (request, reply, done) => {
      const { socket } = request.raw
      running.add(reply.raw)
      if (hasBegun) reply.header('connection', 'close')
      reply.raw.once('close', () => {
        running.delete(reply.raw)
        for (const each of waiting) {
          if (!each.left.delete(reply.raw) || each.left.size > 0) continue
          waiting.delete(each)
          each.resolve()
        }
        // Not before: a balancer that has not been told of it may be sending the next request on it.
        if (isClosing) socket.destroySoon()
      })
      done()
    })
    app.decorate('drain', {
      get running() {
        return running.size
      },
      afterRunning: () => {
        const { promise, resolve } = Promise.withResolvers<void>()
        if (running.size === 0) resolve()
        else waiting.add({ left: new Set(running), resolve })
        return promise
      },
      begin: () => {
        hasBegun = true
      },
      stopListening: async () => {
        // Right after a turn that has accepted whoever waited: the kernel resets those who wait when a listener closes, and a
        // balancer that has sent them a POST must not send it again. The second turn follows a short one.
        await nextTurn()
        await nextTurn()
        // The close of an HTTP server would end idle connections as well.
        Server.prototype.close.call(app.server)
      },
      cut: () => {
        for (const response of running) response.destroy()
      },
      hurry: hurried.resolve,
      hurried: hurried.promise,
    })
    app.addHook('preClose', async () => {
      hasBegun = true
      isClosing = true
      setTimeout(() => {
        const used = new Set([...running].map(response => response.socket))
        for (const socket of sockets) if (!used.has(socket)) socket.destroy()
      }, unusedMs).unref()
    })
  },
  { name: 'drain', fastify: '5.x' },
)
