import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { onEnd } from './cleanup.ts'
import { happens } from './inbox.ts'
import type { Json } from './jwt-maker.ts'

export interface JwksServer {
  readonly port: number
  readonly url: string
  /** Requests since the start. */
  readonly fetches: number
  /** From now on it answers these keys. */
  publish(...keys: readonly Json[]): void
  /** From now on it answers like this. */
  use(listener: RequestListener): void
  /** Closes the port. */
  stop(): Promise<void>
}

/** The endpoint of an issuer on loopback, which publishes these keys; on a free port unless one is given. */
export async function startJwksServer(t: TestContext, keys: readonly Json[] = [], port = 0): Promise<JwksServer> {
  const publishing =
    (published: readonly Json[]): RequestListener =>
    (_request, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: published }))
    }
  let answer = publishing(keys)
  let fetches = 0
  const server = createServer((request, response) => {
    fetches += 1
    answer(request, response)
  })
  server.listen(port, '127.0.0.1')
  await happens(server, 'listening')
  const address = server.address() as AddressInfo
  const stop = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await happens(server, 'close')
  }
  onEnd(t, stop)
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}/keys`,
    get fetches() {
      return fetches
    },
    publish: (...published) => {
      answer = publishing(published)
    },
    use: listener => {
      answer = listener
    },
    stop,
  }
}
