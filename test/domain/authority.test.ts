import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Authority, findGrantLack, findLimitLack, overlayLimits } from '../../src/domain/authority.ts'
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
const limited = (grant: Grant, limits: Limits = {}): Authority => ({ kind: 'limited', grant, limits })
const nothing: Grant = { scopes: new Set(), models: [] }

test('what lacks nothing reaches no further than the caller and what was there before', () => {
  fc.assert(
    fc.property(grantArb, grantArb, grantArb, nameArb, (own, wanted, had, name) => {
      fc.pre(findGrantLack(limited(own), wanted, had) === null)
      assert.ok(wanted.scopes.isSubsetOf(own.scopes.union(had.scopes)))
      if (isAllowed(name, wanted.models)) assert.ok(isAllowed(name, [...own.models, ...had.models]))
    }),
    { numRuns: 5000, maxSkipsPerRun: 1000 },
  )
})

test('everybody has what they have, and may always leave things as they are', () => {
  fc.assert(
    fc.property(grantArb, grantArb, limitsArb, limitsArb, (own, had, ownLimits, hadLimits) => {
      const authority = limited(own, ownLimits)
      assert.equal(findGrantLack(authority, own), null)
      assert.equal(findGrantLack(authority, had, had), null)
      assert.equal(findGrantLack(authority, nothing), null)
      assert.equal(findLimitLack(authority, ownLimits, null), null)
      assert.equal(findLimitLack(authority, hadLimits, hadLimits), null)
      assert.equal(findGrantLack({ kind: 'unlimited' }, had), null)
      assert.equal(findLimitLack({ kind: 'unlimited' }, {}, null), null)
    }),
  )
})

test('a limit is never wider than the caller’s own, or than it was', () => {
  /** In billionths, so that floats stay out of it. */
  const nanos = (limit: number | string | null | undefined): number => {
    if (limit === null || limit === undefined) return Number.POSITIVE_INFINITY
    return typeof limit === 'number' ? limit * 1e9 : Math.round(Number(limit) * 1e9)
  }
  fc.assert(
    fc.property(limitsArb, limitsArb, fc.option(limitsArb), (own, wanted, had) => {
      const lack = findLimitLack(limited(nothing, own), wanted, had)
      const names = ['requests_per_minute', 'tokens_per_day', 'spend_per_day'] as const
      const beyond = names.filter(name => nanos(wanted[name]) > Math.max(nanos(own[name]), had ? nanos(had[name]) : 0))
      if (lack === null) assert.deepEqual(beyond, [])
      else assert.ok(beyond.some(name => lack.param === `limits.${name}`))
    }),
    { numRuns: 2000 },
  )
})

test('what is lacked is named', () => {
  const own = limited({ scopes: new Set(['admin', 'chat']), models: ['a-*'] }, { requests_per_minute: 5 })
  const lackOf = (wanted: Grant) => findGrantLack(own, wanted)
  assert.deepEqual(lackOf({ scopes: new Set(['chat', 'usage']), models: [] }), {
    param: 'scopes',
    what: 'the scope "usage"',
  })
  assert.deepEqual(lackOf({ scopes: new Set(), models: ['a-1', '*'] }), { param: 'models', what: 'the models "*"' })
  assert.deepEqual(findLimitLack(own, { tokens_per_day: null }, null), {
    param: 'limits.requests_per_minute',
    what: 'more requests_per_minute than 5',
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
