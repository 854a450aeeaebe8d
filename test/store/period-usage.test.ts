import assert from 'node:assert/strict'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { defaultAccount, insertAccount } from '../../src/store/accounts.ts'
import { insertKey } from '../../src/store/keys.ts'
import { pageOfAccountIds, pageOfLimitedKeys, spendingOf, tiersOfTokens } from '../../src/store/period-usage.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { conform, newKeyRow } from '../support/conformance.ts'
import { makeUsageEvent } from '../support/usage.ts'

const dayMs = Date.parse('2026-03-14')
const at = (time: string, changes: Partial<UsageEvent> = {}) =>
  makeUsageEvent({ atMs: Date.parse(time), inputTokens: 10, outputTokens: 5, ...changes })
const account = { accountId: defaultAccount.id, keyId: null, tier: null, dayMs }

conform('what is used in a period', {
  'is of the day, UTC, and of its month, of an account and of each key': async sql => {
    const key = newKeyRow({ limits: { spend_per_day: '1' } })
    const other = newKeyRow({ limits: { tokens_per_day: 5 } })
    for (const row of [key, other]) await insertKey(sql, row)
    const events = [
      at('2026-02-28T23:59:59.999Z', { costNanoUsd: 1_000_000 }),
      at('2026-03-01T00:00:00.000Z', { costNanoUsd: 1, keyId: null }),
      at('2026-03-13T23:59:59.999Z', { costNanoUsd: 20, keyId: key.publicId }),
      at('2026-03-14T00:00:00.000Z', { costNanoUsd: 300, keyId: key.publicId }),
      at('2026-03-14T23:59:59.999Z', { costNanoUsd: 4000, keyId: other.publicId }),
      at('2026-03-15T00:00:00.000Z', { costNanoUsd: 50_000, keyId: key.publicId, status: 'partial' }),
      at('2026-04-01T00:00:00.000Z', { costNanoUsd: 2_000_000 }),
    ]
    await insertUsageEvents(sql, events, 10_000)
    const keys = [key, other].map(({ publicId }) => ({ ...account, keyId: publicId }))
    const found = await spendingOf(sql, [account, ...keys], ['enterprise'])
    // The other key has no limit per period of its own.
    assert.equal(found.length, 2)
    const base = { accountId: defaultAccount.id, accountName: 'default', tier: 'enterprise', accountLimits: {}, dayMs }
    const ofAccount = { keyId: null, keyLimits: {}, dayNanoUsd: 4300n, monthNanoUsd: 54_321n, monthTokens: 75n }
    const ofKey = {
      keyId: key.publicId,
      keyLimits: key.limits,
      dayNanoUsd: 300n,
      monthNanoUsd: 50_320n,
      monthTokens: 45n,
    }
    assert.deepEqual(
      [...found].find(({ keyId }) => keyId === null),
      { ...base, ...ofAccount },
    )
    assert.deepEqual(
      [...found].find(({ keyId }) => keyId !== null),
      { ...base, ...ofKey },
    )
    assert.deepEqual(
      [...(await pageOfLimitedKeys(sql, null, 10))],
      [{ accountId: defaultAccount.id, keyId: key.publicId }],
    )
    assert.equal((await pageOfLimitedKeys(sql, key.publicId, 10)).length, 0)
  },

  'is asked for where a tier or the account has such a limit': async sql => {
    const names = async (limitedTiers: readonly string[], tier: string | null = null) =>
      (await spendingOf(sql, [{ ...account, tier }], limitedTiers)).map(found => found.tier)
    assert.deepEqual([...(await names([]))], [])
    assert.deepEqual([...(await names(['free']))], [])
    assert.deepEqual([...(await names(['free'], 'free'))], ['free'])
    await sql`update accounts set limits = '{"requests_per_day": 1}'`
    assert.deepEqual([...(await names([]))], [])
    await sql`update accounts set limits = '{"tokens_per_month": 1}'`
    assert.deepEqual([...(await names([]))], ['enterprise'])
    const [found] = await spendingOf(sql, [account], [])
    assert.deepEqual([found?.dayNanoUsd, found?.monthNanoUsd, found?.monthTokens], [0n, 0n, 0n])
  },

  'is of whom: accounts page by page, and the tiers that tokens of an issuer have said': async sql => {
    const ids = Array.from({ length: 3 }, (_, n) => makeTimeOrderedId(Date.now() + n))
    for (const [n, id] of ids.entries()) await insertAccount(sql, { id, name: `account ${n}`, tier: 'free' })
    const first = await pageOfAccountIds(sql, null, 2)
    const second = await pageOfAccountIds(sql, first[1] ?? '', 10)
    assert.deepEqual([...first, ...second], [defaultAccount.id, ...ids])
    await insertUsageEvents(
      sql,
      [
        at('2026-03-13T23:00:00.000Z', { keyId: null, tier: 'old' }),
        at('2026-03-14T01:00:00.000Z', { keyId: null, tier: 'gold' }),
        at('2026-03-14T02:00:00.000Z', { keyId: null, tier: 'gold', status: 'error' }),
        at('2026-03-14T02:00:00.000Z', { tier: 'of a key' }),
      ],
      10_000,
    )
    const tiers = await tiersOfTokens(sql, [defaultAccount.id, ...ids], dayMs)
    assert.deepEqual([...tiers], [{ accountId: defaultAccount.id, tier: 'gold' }])
  },
})
