import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { readBytes } from './byte-reader.ts'
import { onEnd } from './cleanup.ts'
import { llamaServer } from './engines.ts'
import { type Behaviour, type Closing, type Connection, createExchange, type Exchange } from './exchange.ts'
import { createInbox, happens } from './inbox.ts'
import { readRequest } from './request-reader.ts'
import { resetSocket } from './reset-socket.ts'

export interface ScriptedBackend {
  readonly url: string
  readonly port: number
  /** Every request since the start, probes included. */
  readonly exchanges: readonly Exchange[]
  readonly sockets: { readonly opened: number; readonly closed: number; readonly open: number }
  /** What handlers threw; a test that expects none asserts that it is empty. */
  readonly failures: readonly unknown[]
  /** From the next request on. */
  use(behaviour: Behaviour): void
  exchangesTo(path: string): Exchange[]
  /** The oldest request (to `path`) not yet asked for; waits for one up to `withinMs` (5 s). */
  nextRequest(path?: string, withinMs?: number): Promise<Exchange>
  /** The oldest closing (of a connection whose last request went to `path`) not yet asked for; waits for one up to `withinMs` (5 s). */
  nextClose(path?: string, withinMs?: number): Promise<Closing>
  /** Closes the port and resets what is open; `start` opens the same port again. */
  stop(): Promise<void>
  start(): Promise<void>
}

export interface ScriptedBackendOptions {
  /** An idle connection gets its FIN after this time; llama-server's is 5 s. */
  idleMs?: number
}

/** A backend on a free port of 127.0.0.1 that does what the test says; a healthy llama-server with 4 slots if it says nothing. */
export async function startScriptedBackend(
  t: TestContext,
  behaviour: Behaviour = llamaServer(),
  { idleMs = 5_000 }: ScriptedBackendOptions = {},
): Promise<ScriptedBackend> {
  const exchanges: Exchange[] = []
  const failures: unknown[] = []
  const requests = createInbox<Exchange>('request')
  const closings = createInbox<Closing>('closing of a connection')
  const open = new Set<Socket>()
  let current = behaviour
  let [opened, closed, port] = [0, 0, 0]

  async function serve(socket: Socket): Promise<void> {
    opened += 1
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const connection = watch(socket, opened)
    const reader = readBytes(socket)
    let last: { exchange: Exchange; isFinished: () => boolean } | undefined
    void connection.closing.then(async () => {
      closed += 1
      if (last !== undefined) closings.put(await last.exchange.closed)
    })
    for (let ordinal = 1; ; ordinal += 1) {
      socket.setTimeout(idleMs)
      const request = await readRequest(reader, () => void socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
      if (request === undefined) break
      socket.setTimeout(0)
      last = createExchange(connection, request, ordinal)
      exchanges.push(last.exchange)
      requests.put(last.exchange)
      await current(last.exchange)
      if (!last.isFinished()) await connection.closing
    }
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    serve(socket).catch(error => {
      failures.push(error)
      resetSocket(socket)
    })
  })
  const backend: ScriptedBackend = {
    get url() {
      return `http://127.0.0.1:${port}`
    },
    get port() {
      return port
    },
    exchanges,
    sockets: {
      get opened() {
        return opened
      },
      get closed() {
        return closed
      },
      get open() {
        return opened - closed
      },
    },
    failures,
    use(next) {
      current = next
    },
    exchangesTo: path => exchanges.filter(exchange => exchange.request.path === path),
    nextRequest: (path, withinMs) =>
      requests.take(exchange => path === undefined || exchange.request.path === path, withinMs),
    nextClose: (path, withinMs) =>
      closings.take(closing => path === undefined || closing.exchange.request.path === path, withinMs),
    async stop() {
      for (const socket of open) resetSocket(socket)
      if (!server.listening) return
      server.close()
      await happens(server, 'close')
    },
    async start() {
      server.listen(port, '127.0.0.1', 4_096)
      await happens(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
  }
  await backend.start()
  onEnd(t, () => backend.stop())
  return backend
}

/** The closing settles at the first sign: an engine takes a FIN for "the client has left", and so does this backend. */
function watch(socket: Socket, number: number): Connection {
  let how: Closing['how'] = 'fin'
  let by: Closing['by'] = 'client'
  const closing = new Promise<Omit<Closing, 'exchange' | 'finished'>>(resolve => {
    const settle = () => resolve({ atMs: performance.now(), by, how })
    socket.once('timeout', () => socket.end())
    // Our own FIN is out: whatever comes from the other side after it is an echo.
    socket.once('finish', () => {
      by = 'backend'
    })
    socket.once('end', () => {
      settle()
      socket.destroySoon()
    })
    socket.once('error', () => {
      how = 'reset'
    })
    socket.once('close', settle)
  })
  return {
    socket,
    number,
    closing,
    reset() {
      by = 'backend'
      how = 'reset'
      resetSocket(socket)
    },
  }
}
