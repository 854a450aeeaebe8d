import assert from 'node:assert/strict'
import { test } from 'node:test'
import { powerOfAccount, powerOfKey } from '../../src/admin/powers.ts'
import type { Tier } from '../../src/admin/tier-views.ts'
import type { KeyLimits, Limits } from '../../src/schemas/admin/limits.ts'

const tierOf = (limits: Tier['limits']): Tier => ({
  scopes: ['chat'],
  models: ['*'],
  maxTokens: {},
  limits,
  quotas: {},
  spendLimits: {},
  priority: 50,
  queueWaitMs: 1000,
  totalDeadlineMs: 1000,
  routingHeaders: false,
  whenLimiterDown: 'local',
})
const tier = tierOf({ requestsPerMinute: 60, burst: 20 })
const keyOf = (limits: KeyLimits, accountLimits: Limits = {}) =>
  powerOfKey(tier, { scopes: null, models: null, expiresAt: null, limits, accountLimits }).privileges.burst

test("a tier's burst is no longer what an account has that was given a rate of its own", () => {
  const burst = (limits: Limits, of = tier) => powerOfAccount(of, limits).privileges.burst
  assert.equal(burst({}), 20)
  assert.equal(burst({ tokens_per_minute: 1 }), 20)
  // Null: what the rate itself is, which the limits say.
  assert.equal(burst({ requests_per_minute: 600 }), null)
  assert.equal(burst({ requests_per_minute: null }), null)
  assert.equal(burst({}, tierOf({ requestsPerMinute: 60 })), null)
})

test('a key saves up no more than its account, nor than its own rate', () => {
  assert.equal(keyOf({}), 20)
  assert.equal(keyOf({ requests_per_minute: 30 }), 20)
  assert.equal(keyOf({ requests_per_minute: 10 }), 10)
  assert.equal(keyOf({ requests_per_minute: 30 }, { requests_per_minute: 25 }), 25)
  assert.equal(keyOf({ requests_per_minute: 30 }, { requests_per_minute: null }), 30)
  assert.equal(keyOf({}, { requests_per_minute: null }), null)
})
