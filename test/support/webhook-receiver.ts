/** Somebody who is told of events: a real HTTP server on loopback. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { WebhookEvent } from '../../src/schemas/webhook-event.ts'
import { onEnd } from './cleanup.ts'
import { eventually } from './eventually.ts'

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly event: WebhookEvent
}

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** What it answers from now on: a status, or whatever the function does; undefined says nothing. */
  answer: number | ((response: ServerResponse, nth: number) => void)
  /** Once there are as many. */
  whenReceived(count: number, withinMs?: number): Promise<readonly Received[]>
}

export async function startReceiver(t: TestContext): Promise<Receiver> {
  const received: Received[] = []
  const receiver: Receiver = {
    url: '',
    received,
    answer: 204,
    whenReceived: async (count, withinMs = 10_000) => {
      await eventually(`${count} deliveries`, () => received.length >= count, { withinMs })
      return received
    },
  }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const { method = '', url: path = '', headers } = request
    received.push({ method, path, headers, body, event: JSON.parse(body) as WebhookEvent })
    const { answer } = receiver
    if (typeof answer === 'number') response.writeHead(answer).end()
    else answer(response, received.length)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onEnd(t, () => {
    server.closeAllConnections()
    return new Promise<void>(resolve => server.close(() => resolve()))
  })
  return Object.assign(receiver, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

/** As docs/API.md tells receivers to check it. */
export function isGenuine(secret: string, headers: IncomingHttpHeaders, body: string): boolean {
  const [, time = '', signature = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['weir-signature'])) ?? []
  if (Math.abs(Date.now() / 1000 - Number(time)) > 300) return false
  const expected = createHmac('sha256', secret).update(`${time}.${body}`).digest()
  return timingSafeEqual(expected, Buffer.from(signature.padEnd(64, '0'), 'hex'))
}
