import { equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import type { Limit } from '../../src/domain/limit.ts'
import { explainDenial, findBinding, fitsWithoutPrompt } from '../../src/domain/limit-denial.ts'
import { flight, limitSet, quota, rate, spendLimit, tokenRate } from '../support/limit-sets.ts'

const tierSizes = { free: { requests_per_minute: 60 }, premium: { requests_per_minute: 600 }, enterprise: {} }

interface Denied {
  readonly used: number
  readonly waitUs: number
  readonly amount?: number
  readonly isLocal?: boolean
}

/** Of a single limit. */
const explain = (limit: Limit, { used, waitUs, amount = 1, isLocal = false }: Denied) =>
  explainDenial({
    set: limitSet([limit], { tier: 'free' }),
    states: [{ used, waitUs }],
    amounts: [amount],
    tierSizes,
    isLocal,
  })

test('a rate in requests says its size, when it frees, and which tier has more', () => {
  const denial = explain(rate(), { used: 60, waitUs: 999_001 })
  equal(denial.kind, 'requestLimitExceeded')
  equal(denial.retryAfterMs, 1001)
  equal(
    denial.message,
    'This account may make 60 requests a minute; 0 requests are left. It fits in 1 s. The tier premium has more.',
  )
})

test("a key's own limit is no matter of tiers, nor is one that the tier does not have", () => {
  equal(
    explain(rate({ of: 'key', size: 1 }), { used: 1, waitUs: 60e6 }).message,
    'This key may make 1 request a minute; 0 requests are left. It fits in 60 s.',
  )
  equal(explain(rate({ size: 61 }), { used: 61, waitUs: 1e6 }).message.includes('tier'), false)
})

test('a rate in tokens says what the request may take', () => {
  const denial = explain(tokenRate(), { used: 900, waitUs: 24e6, amount: 500 })
  equal(denial.kind, 'tokenLimitExceeded')
  equal(denial.retryAfterMs, 24_001)
  match(
    denial.message,
    /^This account may use 1,000 tokens a minute; 100 tokens are left, and this request may take up to 500 tokens\. It fits in 24 s\. Lower max_tokens, or send a shorter prompt\.$/,
  )
})

test('what is larger than the whole limit is never to be tried again', () => {
  const denial = explain(tokenRate(), { used: 0, waitUs: Infinity, amount: 1001 })
  equal(denial.kind, 'largerThanLimit')
  equal(denial.shouldRetry, false)
  match(denial.message, /It never fits\. Lower max_tokens/)
  const nothing = explain(rate({ size: 0 }), { used: 0, waitUs: Infinity })
  equal(nothing.kind, 'requestLimitExceeded')
  equal(nothing.shouldRetry, false)
})

test('a place in flight is worth a second of waiting at least', () => {
  const denial = explain(flight(), { used: 2, waitUs: Infinity })
  equal(denial.kind, 'requestLimitExceeded')
  equal(denial.retryAfterMs, 1000)
  equal(denial.shouldRetry, undefined)
  equal(denial.message, 'This account may make 2 requests at the same time. Wait until one of them has ended.')
})

test('quotas and spend limits end with their period', () => {
  const tokens = explain(quota(), { used: 990, waitUs: 86_400e6, amount: 20 })
  equal(tokens.kind, 'insufficientQuota')
  equal(tokens.retryAfterMs, 86_400_000)
  match(tokens.message, /1,000 tokens a calendar month; 10 tokens are left.*The next period begins in 86,400 s \(UTC\)/)
  const money = explain(spendLimit(), { used: 995_000_000, waitUs: 3600e6, amount: 10_000_000 })
  equal(money.kind, 'insufficientQuota')
  match(money.message, /may use 1 USD a calendar day; 0\.005 USD are left, and this request may take up to 0\.01 USD/)
  equal(explain(quota(), { used: 0, waitUs: Infinity, amount: 1001 }).kind, 'insufficientQuota')
})

test('a replica on its own says so', () => {
  match(explain(rate({ size: 15 }), { used: 15, waitUs: 4e6, isLocal: true }).message, /keeps to its own part/)
})

test('what is larger than a part alone is worth another try: the whole may be back', () => {
  const denial = explain(tokenRate({ size: 250 }), { used: 0, waitUs: Infinity, amount: 500, isLocal: true })
  equal(denial.kind, 'tokenLimitExceeded')
  equal(denial.shouldRetry, undefined)
  equal(denial.retryAfterMs, 1001)
  equal(denial.message.includes('never'), false)
})

test('the limit that holds up longest is told, and totals of a period before all others', () => {
  const limits = [rate(), tokenRate(), flight(), quota()]
  const binding = (...waits: readonly number[]) =>
    findBinding(
      limits,
      waits.map(waitUs => ({ used: 0, waitUs })),
    )
  equal(binding(0, 0, 0, 0), -1)
  equal(binding(2e6, 1e6, 0, 0), 0)
  equal(binding(2e6, 3e6, Infinity, 0), 1)
  equal(binding(0, 5e5, Infinity, 0), 2)
  equal(binding(2e6, Infinity, Infinity, 1), 3)
  throws(() => explain(rate(), { used: 0, waitUs: 0 }))
})

test('whether the length of the prompt is what keeps a request out', () => {
  const demand = { requests: 1, tokens: 600, nanoUsd: 0, promptTokens: 500, outputTokens: 100, price: null }
  const fits = (limits: readonly Limit[], ...states: readonly [number, number][]) =>
    fitsWithoutPrompt({
      set: limitSet(limits),
      states: states.map(([used, waitUs]) => ({ used, waitUs })),
      demand,
    })
  equal(fits([tokenRate()], [900, 1]), true)
  equal(fits([tokenRate()], [901, 1]), false)
  equal(fits([tokenRate({ size: 300, capacity: 300 })], [0, Infinity]), true)
  equal(fits([tokenRate(), rate()], [900, 1], [60, 1]), false)
  equal(fits([quota()], [900, 1]), true)
  equal(fits([spendLimit()], [999_999_999, 1]), true)
  equal(fits([spendLimit()], [1_000_000_000, 1]), false)
})

test('no place in flight at all never frees, but the whole may have one where a part has none', () => {
  const denial = explain(flight(0), { used: 0, waitUs: Number.POSITIVE_INFINITY })
  equal(denial.shouldRetry, false)
  equal(denial.message, 'This account may make 0 requests at the same time.')
  const part = explain(flight(0), { used: 0, waitUs: Number.POSITIVE_INFINITY, isLocal: true })
  equal(part.shouldRetry, undefined)
  equal(part.retryAfterMs, 1000)
})
