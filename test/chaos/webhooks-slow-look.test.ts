import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertAccount } from '../../src/store/accounts.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { ThresholdWatch } from '../../src/webhooks/threshold-watch.ts'
import { load } from '../config/load.ts'
import { onEnd } from '../support/cleanup.ts'
import { openTestDatabase } from '../support/databases.ts'
import { eventually } from '../support/eventually.ts'
import { makeUsageEvent } from '../support/usage.ts'

test('one whose look ends at its deadline, each time, holds nobody up', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const yaml = JSON.stringify({
    tiers: { low: { spendLimits: { perDay: '0.000001' } } },
    webhooks: { ops: { url: 'http://127.0.0.1:1', secret: { env: 'HOOK_SECRET' }, thresholds: [100] } },
  })
  const { config } = load(t, { yaml, env: { HOOK_SECRET: 'c0ffee5eed1e55-of-the-webhook-of-this-test' } })
  const ids = [1, 2, 3, 4].map(n => `00000000-0000-7000-8000-00000000000${n}`)
  for (const [n, id] of ids.entries()) await insertAccount(sql, { id, name: `account ${n}`, tier: 'low' })
  const events = ids.map(accountId =>
    makeUsageEvent({ atMs: Date.now(), accountId, keyId: null, tier: 'low', costNanoUsd: 1000 }),
  )
  await insertUsageEvents(sql, events, 10_000)
  await sql.unsafe(`
    create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(20); return null; end $$;
    create trigger wait before insert on webhook_deliveries for each row
      when (new.account_id = '${ids[1]}') execute function wait()`)
  const warnings: unknown[] = []
  let failed = 0
  const watch = new ThresholdWatch({
    sql,
    isReachable: () => true,
    config: () => config,
    onNotice: () => undefined,
    onFailedLook: () => {
      failed += 1
    },
    log: { warn: details => warnings.push(details) },
    times: { paceMs: 1, sweepMs: 86_400_000, retryMs: 1 },
  })
  onEnd(t, () => watch.stop())
  watch.mark(events)
  const told = async () =>
    (await sql<{ id: string }[]>`select account_id as id from webhook_deliveries order by 1`).map(({ id }) => id)
  await eventually('all others are told', async () => (await told()).length === 3, { withinMs: 60_000 })
  assert.deepEqual(
    await told(),
    ids.filter(id => id !== ids[1]),
  )
  // Of four and then of two; by then it is told of, too.
  assert.ok(failed >= 2)
  assert.equal(warnings.length, 1)
})
