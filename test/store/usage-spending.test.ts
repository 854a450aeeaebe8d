import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { migrate } from '../../src/store/migrate.ts'
import { spendingOf, tiersOfTokens } from '../../src/store/period-usage.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { conform } from '../support/conformance.ts'
import { openTestDatabase } from '../support/databases.ts'
import { modelOfSpending, readSpending } from '../support/spending-model.ts'
import { makeUsageEvent } from '../support/usage.ts'

const other = '01900001-0000-7000-8000-000000000000'
const dayMs = Date.parse('2026-03-14')
const at = (time: string, changes: Partial<UsageEvent> = {}) => makeUsageEvent({ atMs: Date.parse(time), ...changes })
const events = [
  // A month's first day begins when the month does.
  at('2026-03-01T00:00:00.000Z', { keyId: null, tier: 'gold' }),
  at('2026-03-13T23:59:59.999Z', { keyId: 'a', model: 'large', costNanoUsd: 5 }),
  at('2026-03-14T00:00:00.000Z', { keyId: 'a', status: 'partial' }),
  at('2026-03-14T12:00:00.000Z', { keyId: 'b', backend: 'two' }),
  at('2026-03-14T23:59:59.999Z', { keyId: null, tier: 'gold', inputTokens: 7 }),
  at('2026-03-14T23:59:59.999Z', { keyId: null, tier: 'free', inputTokens: 8 }),
  at('2026-03-15T00:00:00.000Z', { keyId: 'a', accountId: other }),
]

conform('what accounts and keys have used by the day and month', {
  'is kept beside the events, each of them once': async sql => {
    await insertUsageEvents(sql, events.slice(0, 4), 10_000)
    await insertUsageEvents(sql, events.slice(2), 10_000)
    await insertUsageEvents(sql, events, 10_000)
    assert.deepEqual(await readSpending(sql), modelOfSpending(events))
  },

  'may be more than a number of one series holds': async sql => {
    const most = Number.MAX_SAFE_INTEGER
    const hugeAt = (time: string) =>
      Array.from({ length: 800 }, (_, n) =>
        at(time, { model: `m${n % 4}`, inputTokens: most, outputTokens: most, costNanoUsd: most }),
      )
    await insertUsageEvents(sql, hugeAt('2026-03-14T01:00:00Z'), 10_000)
    await insertUsageEvents(sql, hugeAt('2026-03-14T02:00:00Z'), 10_000)
    const [found] = await spendingOf(
      sql,
      [{ accountId: defaultAccount.id, keyId: null, tier: null, dayMs }],
      ['enterprise'],
    )
    assert.equal(found?.monthTokens, 3200n * BigInt(most))
  },

  'is asked for without a look at its series, of which there may be a hundred thousand': async sql => {
    await insertUsageEvents(sql, events, 10_000)
    await sql`
      with hours as (delete from usage_hourly), days as (delete from usage_daily), months as (delete from usage_monthly)
      delete from usage_series`
    const [found] = await spendingOf(
      sql,
      [{ accountId: defaultAccount.id, keyId: null, tier: null, dayMs }],
      ['enterprise'],
    )
    assert.deepEqual([found?.dayNanoUsd, found?.monthNanoUsd, found?.monthTokens], [4936n, 6175n, 535n])
    const tiers = await tiersOfTokens(sql, [defaultAccount.id, other], dayMs)
    assert.deepEqual(tiers.map(({ tier }) => tier).sort(), ['free', 'gold'])
    assert.equal((await tiersOfTokens(sql, [defaultAccount.id], Date.parse('2026-03-15'))).length, 0)
  },
})

test('what was used before there were such sums is in them, and so is what others insert who do not know of them', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  await sql.unsafe(`
    drop trigger usage_events_spending on usage_events;
    drop function weir_add_usage_spending;
    drop table usage_spending, usage_token_tiers;
    delete from weir_migrations where version = 8`)
  await insertUsageEvents(sql, events.slice(0, 5), 10_000)
  assert.deepEqual(await migrate(sql), ['0008-usage-spending.sql'])
  assert.deepEqual(await readSpending(sql), modelOfSpending(events.slice(0, 5)))
  await insertUsageEvents(sql, events, 10_000)
  assert.deepEqual(await readSpending(sql), modelOfSpending(events))
})
