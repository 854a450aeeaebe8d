import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { onEnd } from './cleanup.ts'
import { forward, type Toxics } from './fault-link.ts'
import { happens } from './inbox.ts'
import { resetSocket } from './reset-socket.ts'

export type Direction = 'to-client' | 'to-server' | 'both'

/** A TCP proxy that misbehaves on demand. Faults act at once, on open connections too, until `clear`. */
export interface FaultProxy {
  readonly port: number
  readonly url: string
  readonly connections: { readonly opened: number; readonly open: number }
  /** Every byte arrives this much later. */
  latency(ms: number, jitterMs?: number, direction?: Direction): void
  bandwidth(bytesPerSecond: number, direction?: Direction): void
  /** Pieces of `size` bytes, `delayMs` apart. */
  slicer(size: number, delayMs?: number, direction?: Direction): void
  /** The connection ends after this many bytes, counted per connection from now. */
  limitData(bytes: number, direction?: Direction): void
  /** Bytes vanish and so does the end of the connection; with `closeAfterMs` the connections end after that time. */
  blackhole(closeAfterMs?: number): void
  /** RST to both sides of every connection, open and new, `afterMs` from now or from its start. */
  resetPeer(afterMs?: number): void
  /** A FIN is passed on this much later. */
  slowClose(ms: number): void
  /** Refuses connections and resets the open ones. */
  down(): Promise<void>
  up(): Promise<void>
  /** No more faults. What a blackhole has swallowed is lost. */
  clear(): void
}

interface Pair {
  client: Socket
  server: Socket
}

/** Starts a fault proxy on a free port of 127.0.0.1 in front of a port (or an URL's). */
export async function startFaultProxy(t: TestContext, target: { port: number } | { url: string }): Promise<FaultProxy> {
  const targetPort = 'port' in target ? target.port : Number(new URL(target.url).port)
  const toxics = { client: {} as Toxics, server: {} as Toxics }
  const pairs = new Set<Pair>()
  const stopped = new AbortController()
  let [opened, port, resetAfterMs] = [0, 0, undefined as number | undefined]

  function reset(pair: Pair): void {
    resetSocket(pair.client)
    resetSocket(pair.server)
  }
  function endLater(ms: number, end: (pair: Pair) => void, chosen: Iterable<Pair>): void {
    const affected = [...chosen]
    if (ms === 0) for (const pair of affected) end(pair)
    else
      void sleep(ms, undefined, { signal: stopped.signal }).then(
        () => affected.forEach(end),
        () => undefined,
      )
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    opened += 1
    const pair = {
      client,
      server: connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }),
    }
    pairs.add(pair)
    // A blackhole keeps one side when the other has gone.
    const forget = () => client.closed && pair.server.closed && pairs.delete(pair)
    client.once('close', forget)
    pair.server.once('close', forget)
    void forward(client, pair.server, () => toxics.server)
    void forward(pair.server, client, () => toxics.client)
    if (resetAfterMs !== undefined) endLater(resetAfterMs, reset, [pair])
  })
  function set(direction: Direction, change: Toxics): void {
    if (direction !== 'to-server') Object.assign(toxics.client, change)
    if (direction !== 'to-client') Object.assign(toxics.server, change)
  }
  const proxy: FaultProxy = {
    get port() {
      return port
    },
    get url() {
      return `http://127.0.0.1:${port}`
    },
    connections: {
      get opened() {
        return opened
      },
      get open() {
        return pairs.size
      },
    },
    latency: (ms, jitterMs = 0, direction = 'to-client') => set(direction, { latency: { ms, jitterMs } }),
    bandwidth: (bytesPerSecond, direction = 'to-client') => set(direction, { bytesPerSecond }),
    slicer: (size, delayMs = 0, direction = 'to-client') => set(direction, { slicer: { size, delayMs } }),
    limitData: (bytes, direction = 'to-client') => set(direction, { limit: { bytes, passed: new WeakMap() } }),
    blackhole(closeAfterMs) {
      set('both', { isBlackhole: true })
      if (closeAfterMs !== undefined) endLater(closeAfterMs, reset, pairs)
    },
    resetPeer(afterMs = 0) {
      resetAfterMs = afterMs
      endLater(afterMs, reset, pairs)
    },
    slowClose: ms => set('both', { slowCloseMs: ms }),
    async down() {
      for (const pair of pairs) reset(pair)
      if (!server.listening) return
      server.close()
      await happens(server, 'close')
    },
    async up() {
      server.listen(port, '127.0.0.1', 4_096)
      await happens(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    clear() {
      toxics.client = {}
      toxics.server = {}
      resetAfterMs = undefined
    },
  }
  await proxy.up()
  onEnd(t, async () => {
    stopped.abort()
    await proxy.down()
  })
  return proxy
}
