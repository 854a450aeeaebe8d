/** A gateway before one backend whose answers end when the test says so, and callers who wait for it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Agent } from 'undici'
import type { BackendView } from '../../src/schemas/admin/backends.ts'
import { adminOf } from './admin.ts'
import { onEnd } from './cleanup.ts'
import { chat } from './completion.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import { startFleet, type TestFleet } from './fleet.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { makeKey } from './keys.ts'

export interface WaitingRoomOptions {
  readonly slots: number
  readonly maxWaiting?: number
  /** Of weir.yaml. */
  readonly tiers: Readonly<Record<string, object>>
  /** How long an answer takes; without it until the test ends it. */
  readonly serviceMs?: number
}

/** A request that has a slot. */
export interface Served {
  /** What its caller calls it. */
  readonly tag: string
  /** When the backend got it, by performance.now(). */
  readonly atMs: number
  finish(): void
}

export interface Reply {
  readonly status: number
  readonly code: string | undefined
  readonly retryAfterS: number
  readonly retryAfterMs: number
}

export interface AskOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface WaitingRoom {
  readonly fleet: TestFleet
  /** In the order in which the backend got them. */
  readonly served: Inbox<Served>
  /** A key of an account of this name, which is made. */
  caller(account: string, tier: string): Promise<string>
  ask(key: string, tag: string, options?: AskOptions): Promise<Reply>
  /** As administrators are shown it. */
  view(): Promise<BackendView>
  /** Fulfilled when so many wait. */
  waiting(count: number): Promise<void>
  /** The value of a series, such as `weir_queue_requests{tier="low"}`; undefined where there is none. */
  metric(series: string): Promise<number | undefined>
}

export async function openWaitingRoom(t: TestContext, options: WaitingRoomOptions): Promise<WaitingRoom> {
  const { slots, maxWaiting = 1000, tiers, serviceMs } = options
  const served = createInbox<Served>('request that has a slot')
  const behaviour = llamaServer({
    chat: async exchange => {
      const { messages } = exchange.request.json as { messages: { content: string }[] }
      const { promise, resolve } = Promise.withResolvers<void>()
      served.put({ tag: messages[0]?.content ?? '', atMs: exchange.request.atMs, finish: resolve })
      await Promise.race([serviceMs === undefined ? promise : exchange.wait(serviceMs), exchange.closed])
      await chat()(exchange)
    },
  })
  const fleet = await startFleet(t, [behaviour], { slots, more: { tiers, routing: { maxWaiting } } })
  const { gateway } = fleet
  const agent = new Agent({ connections: null, pipelining: 1, headersTimeout: 60_000 })
  onEnd(t, () => agent.destroy())
  const room: WaitingRoom = {
    fleet,
    served,
    caller: (account, tier) => makeKey(gateway.app, { account, tier, name: account }),
    async ask(key, tag, { timeoutMs, signal } = {}) {
      const { statusCode, headers, body } = await agent.request({
        origin: gateway.url,
        path: '/v1/chat/completions',
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          ...(timeoutMs !== undefined && { 'x-request-timeout-ms': String(timeoutMs) }),
        },
        body: JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: tag }] }),
        ...(signal !== undefined && { signal }),
      })
      const answer = (await body.json()) as { error?: { code: string } }
      return {
        status: statusCode,
        code: answer.error?.code,
        retryAfterS: Number(headers['retry-after']),
        retryAfterMs: Number(headers['retry-after-ms']),
      }
    },
    view: () => adminOf(gateway).get<BackendView>('GET', '/backends/b0'),
    async waiting(count) {
      await eventually(`${count} wait`, async () => (await room.view()).waiting === count, { withinMs: 30_000 })
    },
    async metric(series) {
      const response = await gateway.fetch(`${gateway.url}/metrics`)
      assert.equal(response.status, 200)
      const line = (await response.text()).split('\n').find(each => each.startsWith(`${series} `))
      return line === undefined ? undefined : Number(line.slice(series.length))
    },
  }
  return room
}
