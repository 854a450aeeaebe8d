import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildLimitSet, type LimitSources } from '../../src/domain/limit-set.ts'
import type { TierLimits } from '../../src/domain/tier-limits.ts'

const tier: TierLimits = { limits: {}, quotas: {}, spendLimits: {} }
const sources: LimitSources = {
  accountId: 'a',
  keyId: 'k',
  tier: 'free',
  tierLimits: tier,
  accountLimits: {},
  keyLimits: {},
}
const build = (changes: Partial<LimitSources> = {}) => buildLimitSet({ ...sources, ...changes })
const withLimits = (limits: TierLimits['limits']) => ({ ...tier, limits })
/** Each limit as `whose name size`. */
const brief = (changes: Partial<LimitSources>) =>
  build(changes).limits.map(({ of, name, size }) => `${of} ${name} ${size}`)

test('every limit a tier can have, in order, each as what it is', () => {
  const tierLimits: TierLimits = {
    spendLimits: { perMonth: '10.00', perDay: '0.000000001' },
    quotas: { tokensPerMonth: 6 },
    limits: { requestsInFlight: 5, tokensPerDay: 4, requestsPerDay: 3, tokensPerMinute: 2, requestsPerMinute: 1 },
  }
  const of = 'account'
  const [minute, day] = [60_000, 86_400_000]
  assert.deepEqual(build({ tierLimits }).limits, [
    { of, name: 'requests_per_minute', kind: 'rate', unit: 'requests', size: 1, capacity: 1, periodMs: minute },
    { of, name: 'tokens_per_minute', kind: 'rate', unit: 'tokens', size: 2, capacity: 2, periodMs: minute },
    { of, name: 'requests_per_day', kind: 'rate', unit: 'requests', size: 3, capacity: 3, periodMs: day },
    { of, name: 'tokens_per_day', kind: 'rate', unit: 'tokens', size: 4, capacity: 4, periodMs: day },
    { of, name: 'requests_in_flight', kind: 'flight', unit: 'requests', size: 5 },
    { of, name: 'tokens_per_month', kind: 'period', unit: 'tokens', size: 6, period: 'month' },
    { of, name: 'spend_per_day', kind: 'period', unit: 'nanoUsd', size: 1, period: 'day' },
    { of, name: 'spend_per_month', kind: 'period', unit: 'nanoUsd', size: 10_000_000_000, period: 'month' },
  ])
})

test('what is absent or null is not limited, and 0 lets nothing in', () => {
  assert.deepEqual(brief({}), [])
  assert.deepEqual(brief({ tierLimits: undefined }), [])
  assert.deepEqual(brief({ tierLimits: withLimits({ requestsPerDay: 0 }) }), ['account requests_per_day 0'])
})

test("an account's own limits come before its tier's, also where they are none", () => {
  const tierLimits = withLimits({ requestsPerMinute: 1, tokensPerMinute: 2, requestsInFlight: 3 })
  const accountLimits = { requests_per_minute: 100, tokens_per_minute: null, spend_per_day: '0.5' }
  assert.deepEqual(brief({ tierLimits, accountLimits }), [
    'account requests_per_minute 100',
    'account requests_in_flight 3',
    'account spend_per_day 500000000',
  ])
})

test("a key's own limits stand beside the account's, tighter or not", () => {
  const tierLimits = withLimits({ requestsPerMinute: 10, requestsInFlight: 3 })
  assert.deepEqual(brief({ tierLimits, keyLimits: { requests_in_flight: 1, requests_per_minute: 20 } }), [
    'account requests_per_minute 10',
    'account requests_in_flight 3',
    'key requests_per_minute 20',
    'key requests_in_flight 1',
  ])
})

test("a tier's burst is what its requests per minute save up, and nobody else's", () => {
  const tierLimits = withLimits({ requestsPerMinute: 60, tokensPerMinute: 60, requestsPerDay: 60, burst: 7 })
  const capacities = (changes: Partial<LimitSources>) =>
    build({ tierLimits, ...changes }).limits.map(limit => (limit.kind === 'rate' ? limit.capacity : null))
  assert.deepEqual(capacities({}), [7, 60, 60])
  assert.deepEqual(capacities({ accountLimits: { requests_per_minute: 60 } }), [60, 60, 60])
  assert.deepEqual(capacities({ accountLimits: { tokens_per_minute: 5 } }), [7, 5, 60])
  assert.deepEqual(capacities({ keyLimits: { requests_per_minute: 30 } }), [7, 60, 60, 30])
  assert.deepEqual(capacities({ tierLimits: withLimits({ requestsPerMinute: 0, burst: 7 }) }), [0])
})

test('nothing of a set can be changed', () => {
  const set = build({ tierLimits: withLimits({ requestsPerMinute: 1 }) })
  for (const part of [set, set.limits, set.limits[0]]) assert.ok(Object.isFrozen(part))
})

test('a fingerprint is short, and the same for the same caller with the same limits only', () => {
  const countArb = fc.option(fc.nat({ max: 3 }), { nil: null })
  const keyArb = fc.record({ requests_per_minute: fc.nat({ max: 3 }) }, { requiredKeys: [] })
  const sourcesArb = fc.record({
    accountId: fc.constantFrom('a', 'b'),
    keyId: fc.constantFrom('k', null),
    tier: fc.constantFrom('free', 'premium'),
    tierLimits: fc
      .record({ requestsPerMinute: fc.nat({ max: 3 }), burst: fc.integer({ min: 1, max: 3 }) }, { requiredKeys: [] })
      .map(withLimits),
    accountLimits: fc.record({ requests_per_minute: countArb, tokens_per_day: countArb }, { requiredKeys: [] }),
    keyLimits: keyArb,
  })
  const meaning = ({ fingerprint: _, ...rest }: ReturnType<typeof buildLimitSet>) => JSON.stringify(rest)
  fc.assert(
    fc.property(sourcesArb, sourcesArb, (left, right) => {
      const [a, b] = [buildLimitSet(left), buildLimitSet(right)]
      assert.equal(a.fingerprint === b.fingerprint, meaning(a) === meaning(b))
      assert.match(a.fingerprint, /^[\w-]{22}$/)
      assert.equal(a.fingerprint, buildLimitSet({ ...left }).fingerprint)
    }),
    { numRuns: 1000 },
  )
})
