import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Limit, LimitName } from '../../src/domain/limit.ts'
import { buildLimitSet } from '../../src/domain/limit-set.ts'
import { uncountedAmounts, uncountedOf } from '../../src/domain/uncounted.ts'
import type { KeyLimits } from '../../src/schemas/admin/limits.ts'
import { limitSet, quota, spendLimit } from '../support/limit-sets.ts'

const periods = ['tokens_per_month', 'spend_per_day', 'spend_per_month'] as const satisfies LimitName[]

/** Each of them set or not, and some rates between. */
const limits = fc
  .record({ tokens_per_month: fc.boolean(), spend_per_day: fc.boolean(), spend_per_month: fc.boolean() })
  .map(has => ({
    ...(has.tokens_per_month && { tokens_per_month: 5 }),
    ...(has.spend_per_day && { spend_per_day: '1' }),
    ...(has.spend_per_month && { spend_per_month: '2' }),
    requests_per_minute: 3,
  }))

const namesOf = (all: readonly Limit[]) =>
  all.filter(({ kind }) => kind === 'period').map(({ of, name }) => `${of} ${name}`)

test('every day and month of an account, and of its key, is either limited or uncounted', () => {
  fc.assert(
    fc.property(limits, limits, fc.constantFrom('k', null), (ofAccount, ofKey, keyId) => {
      const set = buildLimitSet({
        accountId: 'a',
        keyId,
        tier: 'free',
        tierLimits: undefined,
        accountLimits: ofAccount,
        keyLimits: keyId === null ? {} : (ofKey as KeyLimits),
      })
      const owners = keyId === null ? ['account'] : ['account', 'key']
      const found = [...namesOf(set.limits), ...namesOf(uncountedOf(set).limits)]
      const all = owners.flatMap(of => periods.map(name => `${of} ${name}`))
      assert.equal(found.length, all.length)
      assert.deepEqual(new Set(found), new Set(all))
      assert.equal(uncountedOf(set), uncountedOf(set))
    }),
  )
})

test('what began in a day that is over counts for the month, and what began in a month that is over for nothing', () => {
  const uncounted = uncountedOf(limitSet([]))
  const used = { requests: 1, tokens: 7, nanoUsd: 9 }
  const at = (startedAt: string, endedAt: string) =>
    uncountedAmounts(uncounted, used, { startedUs: Date.parse(startedAt) * 1000, nowUs: Date.parse(endedAt) * 1000 })
  assert.deepEqual(
    uncounted.limits.map(({ name }) => name),
    periods,
  )
  assert.deepEqual(at('2026-11-29T23:59:59Z', '2026-11-29T23:59:59.999Z'), [7, 9, 9])
  assert.deepEqual(at('2026-11-29T23:59:59Z', '2026-11-30T00:00:00Z'), [7, 0, 9])
  assert.deepEqual(at('2026-11-30T23:59:59Z', '2026-12-01T00:00:00Z'), [0, 0, 0])
})

test('a limit of the account is none of its key', () => {
  const { limits: uncounted } = uncountedOf(limitSet([quota(), spendLimit({ of: 'key' })], { keyId: 'k' }))
  assert.deepEqual(namesOf(uncounted), [
    'account spend_per_day',
    'account spend_per_month',
    'key tokens_per_month',
    'key spend_per_month',
  ])
})
