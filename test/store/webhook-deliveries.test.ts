import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import {
  claimDeliveries,
  endTry,
  keepDeliveries,
  type NewDelivery,
  putDeliveries,
} from '../../src/store/webhook-deliveries.ts'
import { findDelivery, listDeliveries, retryDelivery } from '../../src/store/webhook-listing.ts'
import { onEnd } from '../support/cleanup.ts'
import { author, conform } from '../support/conformance.ts'
import { openPlanned } from '../support/plans.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { claimAll, newDelivery } from '../support/webhooks.ts'

const delivered = { outcome: 'delivered', error: null, waitMs: 0 } as const
const failed = (waitMs: number) => ({ outcome: 'failed', error: 'status 500', waitMs }) as const
const minuteMs = 60_000
const any = { state: null, webhook: null }
const all = { limit: 100, before: null }

conform('the outbox', {
  'takes each threshold once, and anew where anything that tells it apart is other': async sql => {
    const others: readonly Partial<NewDelivery>[] = [
      {},
      { webhook: 'billing' },
      { accountId: '00000000-0000-7000-8000-000000000001' },
      { keyId: 'k'.repeat(16) },
      { limit: 'spend_per_day' },
      { period: '2026-12' },
      { percent: 80 },
      // The limit was raised, and reached again.
      { size: 2000 },
    ]
    for (const [index, changes] of others.entries()) {
      assert.equal(await putDeliveries(sql, [newDelivery(changes), newDelivery(changes)]), 1, `case ${index}`)
      assert.equal(await putDeliveries(sql, [newDelivery(changes)]), 0, `case ${index}`)
    }
    assert.equal((await listDeliveries(sql, any, all)).length, others.length)
  },

  'gives each out once, the longest due first, and no more than there is room for': async sql => {
    const rows = Array.from({ length: 6 }, (_, n) => newDelivery({ percent: n + 1 }))
    for (const row of rows) await putDeliveries(sql, [row])
    await putDeliveries(sql, [newDelivery({ webhook: 'billing' })])
    const [first, ...more] = await claimAll(sql, 1)
    assert.deepEqual([first, more], [{ id: rows[0]?.id, webhook: 'ops', body: rows[0]?.body, tries: 1 }, []])
    assert.deepEqual(new Set((await claimAll(sql)).map(({ id }) => id)), new Set(rows.slice(1).map(({ id }) => id)))
    assert.deepEqual(await claimAll(sql), [])
    const both = [
      { webhook: 'ops', room: 5 },
      { webhook: 'billing', room: 5 },
    ]
    assert.deepEqual(
      (await claimDeliveries(sql, both, minuteMs)).map(({ webhook }) => webhook),
      ['billing'],
    )
  },

  'gives out again what was claimed and not ended within its lease, and then the first who claimed it has no say':
    async sql => {
      await putDeliveries(sql, [newDelivery()])
      const [lost] = await claimAll(sql, 1, 0)
      const [held] = await claimAll(sql)
      assert.ok(lost && held)
      assert.deepEqual([lost.id, lost.tries, held.tries], [held.id, 1, 2])
      assert.equal(await endTry(sql, lost, delivered), 'lost')
      assert.equal(await endTry(sql, held, delivered), 'delivered')
      assert.equal(await endTry(sql, held, failed(0)), 'lost')
      assert.deepEqual(await claimAll(sql), [])
    },

  'tries again after the wait, gives up at once where told so, and after three days': async sql => {
    await putDeliveries(sql, [newDelivery()])
    const again = async () => (await claimAll(sql))[0] ?? assert.fail('nothing is due')
    const first = await again()
    assert.equal(await endTry(sql, first, failed(minuteMs)), 'pending')
    assert.deepEqual(await claimAll(sql), [])
    await sql`update webhook_deliveries set due_at = due_at - interval '1 minute'`
    const second = await again()
    assert.equal(await endTry(sql, second, failed(0)), 'pending')
    await sql`update webhook_deliveries set expires_at = expires_at - interval '3 days'`
    assert.equal(await endTry(sql, await again(), failed(0)), 'dead')
    await putDeliveries(sql, [newDelivery({ percent: 80 })])
    assert.equal(await endTry(sql, await again(), { ...failed(0), outcome: 'gone', error: 'status 410' }), 'dead')
    assert.deepEqual(
      (await listDeliveries(sql, { ...any, state: 'dead' }, all)).map(row => row.lastError),
      ['status 410', 'status 500'],
    )
  },

  'remembers what was told until its period is long over, and gives up what nobody tries': async sql => {
    const live = newDelivery({ percent: 1, periodEnds: new Date(Date.now() + minuteMs) })
    await putDeliveries(sql, [live, newDelivery({ percent: 2, periodEnds: new Date('2026-01-01') })])
    for (const claimed of await claimAll(sql)) await endTry(sql, claimed, delivered)
    await sql`update webhook_deliveries set ended_at = ended_at - interval '31 days'`
    await putDeliveries(sql, [newDelivery({ percent: 3 }), newDelivery({ percent: 4 })])
    const long = `now() - interval '4 days'`
    await sql.unsafe(`update webhook_deliveries set expires_at = ${long}, due_at = ${long} where percent = 3`)
    assert.deepEqual(await keepDeliveries(sql), { waiting: 2, dead: 0 })
    assert.deepEqual(await keepDeliveries(sql), { waiting: 1, dead: 1 })
    const left = (await listDeliveries(sql, any, all)).map(({ event, ...row }) => [row.state, row.lastError])
    assert.deepEqual(left.toSorted(), [
      ['dead', 'not tried'],
      ['delivered', null],
      ['pending', null],
    ])
    assert.equal(await putDeliveries(sql, [live]), 0)
  },

  'is listed by state and receiver, page by page, and what was given up is let in again, with an entry in the audit log':
    async sql => {
      const rows = Array.from({ length: 3 }, (_, n) => newDelivery({ percent: n + 1 }))
      await putDeliveries(sql, rows)
      await putDeliveries(sql, [newDelivery({ webhook: 'billing' })])
      const page = await listDeliveries(sql, { state: 'pending', webhook: 'ops' }, { limit: 2, before: null })
      const rest = await listDeliveries(
        sql,
        { state: 'pending', webhook: 'ops' },
        { limit: 2, before: page[1]?.id ?? '' },
      )
      assert.deepEqual(
        [...page, ...rest].map(({ id }) => id),
        rows.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1)),
      )
      assert.deepEqual(page[0]?.event.unit, 'usd')
      const [claimed] = await claimAll(sql, 1)
      assert.ok(claimed)
      await endTry(sql, claimed, { outcome: 'gone', error: 'status 410', waitMs: 0 })
      const dead = (await findDelivery(sql, claimed.id)) ?? assert.fail()
      assert.equal(await retryDelivery(sql, dead, author), 'done')
      assert.equal(await retryDelivery(sql, dead, author), 'stale')
      const fresh = await findDelivery(sql, claimed.id)
      assert.deepEqual(
        [fresh?.state, fresh?.tries, fresh?.endedAt, fresh?.lastError],
        ['pending', 0, null, 'status 410'],
      )
      const [entry] =
        await sql`select action, target_kind, before, after from audit_log where target_id = ${claimed.id}`
      assert.deepEqual(entry, {
        action: 'webhook_delivery.retry',
        target_kind: 'webhook_delivery',
        before: { webhook: 'ops', state: 'dead', tries: 1, last_error: 'status 410' },
        after: { webhook: 'ops', state: 'pending', tries: 0, last_error: 'status 410' },
      })
    },
})

test('what was delivered is not read again and again', async t => {
  const { sql, rowsRead } = await openPlanned(t)
  const insert = async (state: string, count: number, ended: string) =>
    await sql.unsafe(`
      insert into webhook_deliveries (id, webhook, account_id, key_id, limit_name, period, period_ends, percent, size, body,
                                      state, expires_at, ended_at)
      select gen_random_uuid(), 'ops', gen_random_uuid(), '', 'spend_per_day', '2026-01-01', '2026-01-02', 50, 1, '{}',
             '${state}', now() + interval '3 days', ${ended}
      from generate_series(1, ${count})`)
  await insert('delivered', 20_000, `now() - interval '1 day'`)
  await insert('delivered', 1000, `now() - interval '31 days'`)
  await insert('dead', 30, `now() - interval '1 day'`)
  await insert('pending', 10, 'null')
  await sql`analyze`
  // The first call removes what is long over; what is asked for the plan finds nothing to do any more.
  const read = await rowsRead(async () => assert.deepEqual(await keepDeliveries(sql), { waiting: 10, dead: 30 }))
  assert.ok(read('webhook_deliveries') < 2000, `${read('webhook_deliveries')} deliveries`)
  const [left] = await sql`select count(*)::integer as rows from webhook_deliveries`
  assert.equal(left?.['rows'], 20_040)
})

test('two replicas that claim at the same time never get the same', async t => {
  const stores = { dataDir: makeTempDir(t), databaseUrl: await createDatabase(t) }
  const replicas = await Promise.all([openDatabase(stores), openDatabase(stores)])
  for (const replica of replicas) onEnd(t, () => replica.close())
  const [one, two] = replicas.map(({ sql }) => sql)
  assert.ok(one && two)
  await migrate(one)
  const rows = Array.from({ length: 90 }, (_, n) => newDelivery({ percent: n + 1 }))
  // Both have noticed all of it.
  const put = await Promise.all([
    putDeliveries(one, rows),
    putDeliveries(
      two,
      rows.map(row => newDelivery(row)),
    ),
  ])
  assert.equal(put[0] + put[1], rows.length)
  const claims = await Promise.all(Array.from({ length: 60 }, (_, n) => claimAll(n % 2 === 0 ? one : two, 2)))
  const claimed = claims.flat().map(({ id }) => id)
  assert.equal(new Set(claimed).size, claimed.length)
  assert.equal(claimed.length, rows.length)
})
