import assert from 'node:assert/strict'
import { test } from 'node:test'
import { migrate } from '../../src/store/migrate.ts'
import { seriesColumns, seriesId, sumColumns } from '../../src/store/usage-columns.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { ThresholdWatch } from '../../src/webhooks/threshold-watch.ts'
import { load } from '../config/load.ts'
import { onEnd } from '../support/cleanup.ts'
import { openTestDatabase } from '../support/databases.ts'
import { eventually } from '../support/eventually.ts'
import { makeUsageEvent } from '../support/usage.ts'

const accounts = 100
const seriesOfEach = 4800
const idOf = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`

test(`${accounts} accounts of ${seriesOfEach} series each, marked at once, are told that they have reached their limits`, async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const secret = 'c0ffee5eed1e55-of-the-webhook-of-this-test'
  const yaml = JSON.stringify({
    tiers: { low: { spendLimits: { perMonth: '0.000001' } }, none: {} },
    webhooks: { ops: { url: 'http://127.0.0.1:1', secret: { env: 'HOOK_SECRET' }, thresholds: [100] } },
  })
  const { config } = load(t, { yaml, env: { HOOK_SECRET: secret } })
  const day = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000)
  // As it was before there were sums of accounts, so that the migration has to find them in those of series.
  await sql.unsafe(`
    drop trigger usage_events_spending on usage_events;
    drop function weir_add_usage_spending;
    drop table usage_spending, usage_token_tiers;
    delete from weir_migrations where version = 8;
    insert into accounts (id, name, tier)
      select ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'account ' || n, 'low'
      from generate_series(0, ${accounts - 1}) as n;
    insert into usage_series (id, ${seriesColumns.join(', ')})
      select ${seriesId}, ${seriesColumns.join(', ')}
      from (
        select ('01900000-0000-7000-8000-' || lpad((n % ${accounts})::text, 12, '0'))::uuid as account_id,
               'key' || n % ${accounts * 40} as key_id, 'low' as tier, 'model' || n / ${accounts * 40} as model,
               '' as answered_model, 'one' as backend, '' as experiment, '' as arm, 'chat' as endpoint, 'ok' as status,
               'v1' as price_version
        from generate_series(0, ${accounts * seriesOfEach - 1}) as n
      ) as named`)
  const sums = sumColumns.map(() => '1').join(', ')
  for (const [table, unit] of [
    ['usage_daily', 'day'],
    ['usage_monthly', 'month'],
  ] as const) {
    await sql.unsafe(
      `insert into ${table} (period, series, ${sumColumns.join(', ')})
       select date_trunc('${unit}', $1::timestamptz, 'UTC'), id, ${sums} from usage_series order by random()`,
      [day],
    )
  }
  assert.deepEqual(await migrate(sql), ['0008-usage-spending.sql'])
  const notices = { told: 0 }
  const watch = new ThresholdWatch({
    sql,
    isReachable: () => true,
    config: () => config,
    onNotice: () => {
      notices.told += 1
    },
    onFailedLook: () => assert.fail('a look has failed'),
    log: { warn: (details, message) => assert.fail(`${message} ${JSON.stringify(details)}`) },
  })
  onEnd(t, () => watch.stop())
  // One request each: with the 4,800 nano-USD of before it is far over the limit of 1,000.
  const events = Array.from({ length: accounts }, (_, n) =>
    makeUsageEvent({ atMs: day.getTime(), accountId: idOf(n), keyId: `key${n}`, tier: 'low', costNanoUsd: 1 }),
  )
  await insertUsageEvents(sql, events, 30_000)
  const markedAt = performance.now()
  watch.mark(events)
  await eventually('all are told', async () => {
    const [row] = await sql<[{ n: number }]>`select count(*)::integer as n from webhook_deliveries`
    return row.n === accounts
  })
  t.diagnostic(`${Math.round(performance.now() - markedAt)} ms`)
  const [told] = await sql`select distinct body::jsonb ->> 'used' as used from webhook_deliveries`
  assert.deepEqual(told, { used: '0.000004801' })
})
