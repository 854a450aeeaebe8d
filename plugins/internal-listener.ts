/**
 * The second listener, for metrics, probes, docs and later the admin API. Both listeners lead into the same application;
 * a route made with `constraints: app.internal` exists only for connections that came in on the internal one, so on the
 * public one it is a plain 404. Without an internal port there is one listener and the constraint is empty.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** Put on a route that must not be reachable from outside. */
    internal: InternalConstraint
    internalListener: { readonly isOn: boolean; listen(): Promise<string | null> }
  }
}

type InternalConstraint = { listener?: 'internal' }

export interface InternalListenerOptions {
  readonly host: string
  readonly port: number | undefined
  readonly clientErrorHandler: (error: Error, socket: Socket) => void
}

/** Connections of the internal listener, by their socket. */
const internalSockets = new WeakSet<object>()

type Strategy = NonNullable<NonNullable<FastifyServerOptions['routerOptions']>['constraints']>[string]
type Handler = Parameters<ReturnType<Strategy['storage']>['set']>[1]

/** Tells find-my-way which of the two listeners a request came in on. */
export const internalListenerStrategy: Strategy = {
  name: 'listener',
  storage: () => {
    const handlers = new Map<unknown, Handler>()
    return {
      get: listener => handlers.get(listener) ?? null,
      set: (listener, handler) => {
        handlers.set(listener, handler)
      },
    }
  },
  deriveConstraint: request => (internalSockets.has(request.socket) ? 'internal' : 'public'),
  validate: () => {},
}

/** What a route look-up needs to see the routes of the listener that this request came in on. */
export function listenerConstraint(request: FastifyRequest): { listener: string } {
  return { listener: internalSockets.has(request.raw.socket) ? 'internal' : 'public' }
}

export default fp(
  async (app: FastifyInstance, { host, port, clientErrorHandler }: InternalListenerOptions) => {
    app.decorate('internal', port === undefined ? {} : ({ listener: 'internal' } as const))
    let server: Server | null = null
    app.decorate('internalListener', {
      isOn: port !== undefined,
      /** Starts it; its URL, or null where there is none. Call after `ready`. */
      listen: async () => {
        if (port === undefined) return null
        server = createServer({ requestTimeout: 30_000, requireHostHeader: false }, (request, response) =>
          app.routing(request, response),
        )
        server.on('connection', socket => internalSockets.add(socket))
        server.on('clientError', (error, socket) => clientErrorHandler(error, socket as Socket))
        return listen(server, host, port)
      },
    })
    // Registered first, so closed last: probes and metrics are answered to the end.
    app.addHook('onClose', async () => {
      if (server === null) return
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      await closed.promise
    })
  },
  { name: 'internal-listener' },
)

function listen(server: Server, host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  server.once('error', reject)
  server.listen({ host, port }, () => {
    const address = server.address()
    const bound: AddressInfo | null = typeof address === 'string' ? null : address
    const name = bound?.family === 'IPv6' ? `[${bound.address}]` : (bound?.address ?? host)
    resolve(`http://${name}:${bound?.port ?? port}`)
  })
  return promise
}
