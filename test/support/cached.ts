/** A gateway whose model has a cache, and callers of it. */
import type { TestContext } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { chat } from './completion.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import type { Gateway } from './gateway.ts'
import { type Limited, type StoreKind, startLimited } from './limited.ts'

export interface CachedOptions {
  readonly store?: StoreKind
  readonly redisUrl?: string
  readonly isEmbedded?: boolean
  /** Of the model's cache, beside its mode. */
  readonly cache?: object
  readonly model?: object
  readonly models?: object
  readonly tiers?: Readonly<Record<string, object>>
  readonly behaviour?: Behaviour
  readonly more?: object
  /** What else its backend says. */
  readonly of?: object
}

export const price = { from: '2026-01-01', input: '10.00', output: '50.00' }

/** What the price above makes of the 16 and 7 tokens of the scripted answer, in nano-USD. */
export const answerNanoUsd = 510_000

export async function startCached(t: TestContext, options: CachedOptions = {}): Promise<Limited> {
  const {
    cache = {},
    model = {},
    tiers = { open: {} },
    behaviour = llamaServer({ dimensions: 4 }),
    more,
    of,
    ...rest
  } = options
  return await startLimited(t, {
    ...rest,
    tiers,
    behaviour,
    // Each failure is to be seen, also where one backend fails at everything.
    of: { breaker: { window: 10_000, least: 10_000 }, ...of },
    more: { routing: { maxAttempts: 1 }, ...more },
    model: { prices: [price], cache: { mode: 'deterministic', ...cache }, ...model },
  })
}

export const asked = { temperature: 0 } as const
export const question = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }], ...asked }
export const chatPath = '/v1/chat/completions'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly cache: string | null
  readonly body: Record<string, unknown>
}

/** By plain HTTP, to see the headers. */
export async function post(
  { url, fetch }: Pick<Gateway, 'url' | 'fetch'>,
  key: string,
  body: object = question,
  { path = chatPath, headers = {} }: { readonly path?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answered> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const read = JSON.parse(await response.text()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, cache: response.headers.get('x-weir-cache'), body: read }
}

/** All events of the ledger, oldest first, once there are as many. */
export async function ledgerOf({ gateway }: Limited, count: number): Promise<readonly UsageEvent[]> {
  let found: readonly UsageEvent[] = []
  await eventually(`${count} events`, async () => {
    const range = { fromMs: Date.now() - 86_400_000, untilMs: Date.now() + 86_400_000 }
    const filter = { range, accountId: null, keyId: null, model: null, status: null }
    found = await listUsageEvents(gateway.app.sql, filter, { limit: 2000, before: null })
    return found.length >= count
  })
  return found.toReversed()
}

/** Answers that can be told apart: the text has how many came before. */
export function numbered(options: object = {}): Behaviour {
  let count = 0
  return exchange => chat({ ...options, tokens: ['answer ', String(count++)] })(exchange)
}

const toolCall = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }

/** Answers by a stream that calls a tool, whatever is asked. */
export const callsTool: Behaviour = async exchange => {
  await exchange.stream()
  const delta = { role: 'assistant', tool_calls: [{ index: 0, ...toolCall }] }
  await exchange.control({ choices: [{ index: 0, delta, finish_reason: null }] })
  await exchange.control({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] })
  await exchange.control({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } })
  await exchange.done()
  await exchange.end({ close: true })
}
