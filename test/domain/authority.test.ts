import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Authority,
  findLack,
  narrowLimits,
  overlayLimits,
  type Power,
  type Privileges,
} from '../../src/domain/authority.ts'
import type { Grant } from '../../src/domain/key-grant.ts'
import { isAllowed } from '../../src/domain/permission.ts'
import type { Limits } from '../../src/schemas/admin/limits.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'

const grantArb = fc
  .record({
    scopes: fc.subarray([...scopeNames]),
    models: fc.array(fc.stringMatching(/^[ab*]{1,4}$/), { maxLength: 3 }),
  })
  .map(({ scopes, models }): Grant => ({ scopes: new Set(scopes), models }))
const nameArb = fc.stringMatching(/^[ab]{0,6}$/)
const countArb = fc.option(fc.nat({ max: 5 }), { nil: null })
const moneyArb = fc.option(
  fc.tuple(fc.nat({ max: 2 }), fc.constantFrom('', '.0', '.5', '.50', '.000000001')).map(([n, rest]) => `${n}${rest}`),
  { nil: null },
)
const limitsArb: fc.Arbitrary<Limits> = fc.record(
  { requests_per_minute: countArb, tokens_per_day: countArb, spend_per_day: moneyArb },
  { requiredKeys: [] },
)
const privilegesArb: fc.Arbitrary<Privileges> = fc.record({
  max_tokens: countArb,
  burst: countArb,
  priority: fc.nat({ max: 3 }),
  queue_wait_ms: fc.nat({ max: 3 }),
  total_deadline_ms: fc.nat({ max: 3 }),
})
const endArb = fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY)
const powerArb: fc.Arbitrary<Power> = fc.record({
  grant: grantArb,
  limits: limitsArb,
  privileges: privilegesArb,
  endsAtMs: endArb,
})
const powerOf = (grant: Grant, limits: Limits = {}): Power => ({ grant, limits, privileges: {} })
const limited = (power: Power): Authority => ({ kind: 'limited', ...power })

test('what lacks nothing reaches no further than the caller and what was there before', () => {
  fc.assert(
    fc.property(grantArb, grantArb, grantArb, nameArb, (own, wanted, had, name) => {
      fc.pre(findLack(limited(powerOf(own)), powerOf(wanted), powerOf(had)) === null)
      assert.ok(wanted.scopes.isSubsetOf(own.scopes.union(had.scopes)))
      if (isAllowed(name, wanted.models)) assert.ok(isAllowed(name, [...own.models, ...had.models]))
    }),
    { numRuns: 5000, maxSkipsPerRun: 1000 },
  )
})

test('everybody has what they have, and may always leave things as they are', () => {
  fc.assert(
    fc.property(powerArb, powerArb, (own, had) => {
      assert.equal(findLack(limited(own), own, null), null)
      assert.equal(findLack(limited(own), had, had), null)
      assert.equal(findLack({ kind: 'unlimited' }, had, null), null)
    }),
  )
})

/** In billionths, so that floats stay out of it; no limit is the widest. */
function nanos(limit: number | string | null | undefined): number {
  if (limit === null || limit === undefined) return Number.POSITIVE_INFINITY
  return typeof limit === 'number' ? limit * 1e9 : Math.round(Number(limit) * 1e9)
}

/** All that can be counted, a burst that is absent being the limit itself. */
const countsOf = ({ limits, privileges, endsAtMs }: Power) => ({
  ...{ requests_per_minute: null, tokens_per_day: null, spend_per_day: null, ...limits },
  ...{ ...privileges, burst: privileges.burst ?? limits.requests_per_minute ?? null },
  ends: endsAtMs === Number.POSITIVE_INFINITY ? null : endsAtMs,
})

test('nothing that can be counted is more than the caller has, or than it was', () => {
  fc.assert(
    fc.property(powerArb, powerArb, fc.option(powerArb), grantArb, (caller, wanted, before, grant) => {
      const [own, had] = [{ ...caller, grant }, before && { ...before, grant }]
      const lack = findLack(limited(own), { ...wanted, grant }, had)
      const [ownCounts, hadCounts, counts] = [countsOf(own), had && countsOf(had), countsOf(wanted)]
      const beyond = Object.entries(counts).filter(([name, count]) => {
        const bound = Math.max(
          nanos(ownCounts[name as keyof typeof ownCounts]),
          hadCounts === null ? 0 : nanos(hadCounts[name as keyof typeof hadCounts]),
        )
        return nanos(count) > bound
      })
      assert.equal(lack === null, beyond.length === 0, JSON.stringify({ lack, beyond }))
    }),
    { numRuns: 3000 },
  )
})

test('limits that were there before hold for what is added only where the caller has them', () => {
  const own = limited(powerOf({ scopes: new Set(['chat', 'usage']), models: ['*'] }, { requests_per_minute: 5 }))
  const had = powerOf({ scopes: new Set(['chat']), models: ['a'] }, { requests_per_minute: 50 })
  const added = { scopes: new Set(['chat', 'usage'] as const), models: ['a'] }
  assert.equal(findLack(own, powerOf(had.grant, { requests_per_minute: 40 }), had), null)
  assert.equal(findLack(own, powerOf(added, { requests_per_minute: 40 }), had)?.param, 'limits.requests_per_minute')
  assert.equal(findLack(own, powerOf(added, { requests_per_minute: 5 }), had), null)
})

test('what is lacked is named', () => {
  const own = {
    ...powerOf({ scopes: new Set(['admin', 'chat']), models: ['a-*'] }, { requests_per_minute: 5 }),
    privileges: { priority: 50 },
    endsAtMs: Date.parse('2030-01-01T00:00:00Z'),
  }
  const lackOf = (wanted: Partial<Power>) => findLack(limited(own), { ...own, ...wanted }, null)
  assert.deepEqual(lackOf({ grant: { scopes: new Set(['chat', 'usage']), models: [] } }), {
    param: 'scopes',
    what: 'the scope "usage"',
  })
  assert.deepEqual(lackOf({ grant: { scopes: new Set(), models: ['a-1', '*'] } }), {
    param: 'models',
    what: 'the models "*"',
  })
  assert.deepEqual(lackOf({ limits: { tokens_per_day: null } }), {
    param: 'limits.requests_per_minute',
    what: 'more requests_per_minute than 5',
  })
  assert.deepEqual(lackOf({ privileges: { priority: 51 } }), { param: 'tier', what: 'more priority than 50' })
  assert.deepEqual(lackOf({ endsAtMs: Number.POSITIVE_INFINITY }), {
    param: 'expires_at',
    what: 'the time after 2030-01-01T00:00:00.000Z',
  })
})

test('limits of an account come before those of its tier', () => {
  const tier = { requests_per_minute: 5, tokens_per_day: 10 }
  assert.deepEqual(overlayLimits(tier, { tokens_per_day: null, spend_per_day: '1' }), {
    requests_per_minute: 5,
    tokens_per_day: null,
    spend_per_day: '1',
  })
})

test('limits of a key count where they are tighter than those of its account', () => {
  const account = { requests_per_minute: 5, tokens_per_day: null, spend_per_day: '1.5' }
  const own = { requests_per_minute: 6, tokens_per_day: 10, spend_per_day: '1.50', spend_per_month: '2' }
  const tighter = { tokens_per_day: 10, spend_per_month: '2' }
  assert.deepEqual(narrowLimits(account, own), { ...account, ...tighter })
})
