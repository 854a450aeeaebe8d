import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { insertUsageEvents, isPoison } from '../../src/store/usage-events.ts'
import { dropUsageBefore, makeUsagePartitions } from '../../src/store/usage-partitions.ts'
import { onEnd } from '../support/cleanup.ts'
import { databaseKinds, openTestDatabase } from '../support/databases.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { makeUsageEvent } from '../support/usage.ts'

const eventAt = (time: string) => makeUsageEvent({ atMs: Date.parse(time) })

async function partitions(sql: Sql): Promise<string> {
  const rows = await sql<{ name: string }[]>`select right(name, 7) as name from weir_usage_partitions order by name`
  return rows.map(({ name }) => name).join(' ')
}

for (const kind of databaseKinds) {
  test(`months are made ahead and dropped at the end, on ${kind}`, async t => {
    const sql = await openTestDatabase(t, kind)

    await t.test('this month and the two after it are there before anything comes for them', async () => {
      await makeUsagePartitions(sql, Date.parse('2023-11-30T23:59:59.999Z'))
      assert.equal(await partitions(sql), '2023_11 2023_12 2024_01')
      // A month after the 31st there may be no 31st.
      await makeUsagePartitions(sql, Date.parse('2023-12-31T23:59:59.999Z'))
      assert.equal(await partitions(sql), '2023_11 2023_12 2024_01 2024_02')
      await makeUsagePartitions(sql, Date.parse('2023-12-01T00:00:00Z'))
      assert.equal(await partitions(sql), '2023_11 2023_12 2024_01 2024_02')
    })

    const old = eventAt('2023-12-31T23:59:59.999Z')
    const kept = eventAt('2024-01-01T00:00:00Z')

    await t.test('what is dropped is whole months, and none of their sums', async () => {
      await insertUsageEvents(sql, [old, kept], 5000)
      assert.equal(await dropUsageBefore(sql, new Date('2024-01-01T00:00:00Z'), 5000), 2)
      assert.equal(await partitions(sql), '2024_01 2024_02')
      assert.equal(await dropUsageBefore(sql, new Date('2024-01-31T23:59:59Z'), 5000), 0)
      assert.deepEqual([...(await sql`select id from usage_events`)], [{ id: kept.id }])
      const [row] = await sql`select (select sum(requests)::int from usage_hourly) as hours,
                                     (select sum(requests)::int from usage_daily) as days`
      assert.deepEqual(row, { hours: 2, days: 2 })
    })

    await t.test('what comes again after that is refused, since nobody knows that it was there', async () => {
      const late = eventAt('2023-11-01T00:00:00Z')
      for (const batch of [[old], [kept, old], [late]]) {
        await assert.rejects(
          insertUsageEvents(sql, batch, 5000),
          error => isPoison(error) && /not kept/.test(`${error}`),
        )
      }
      assert.equal(await insertUsageEvents(sql, [kept], 5000), 0)
      const [row] = await sql`select sum(requests)::int as requests from usage_daily`
      assert.equal(row?.['requests'], 2)
    })
  })
}

test('on a server with several replicas', async t => {
  const stores = { dataDir: makeTempDir(t), databaseUrl: await createDatabase(t) }
  const databases = await Promise.all([openDatabase(stores), openDatabase(stores)])
  for (const database of databases) onEnd(t, () => database.close())
  const [sql, other] = databases.map(database => database.sql)
  assert.ok(sql && other)
  await migrate(sql)

  await t.test('all make the same months at once, beside inserts that need others', async () => {
    const months = Array.from({ length: 24 }, (_, index) => Date.UTC(2024, index, 10))
    const made = months.flatMap(nowMs => [makeUsagePartitions(sql, nowMs), makeUsagePartitions(other, nowMs)])
    const inserted = months
      .toReversed()
      .map((atMs, index) => insertUsageEvents(index % 2 === 0 ? sql : other, [makeUsageEvent({ atMs })], 30_000))
    await Promise.all(made)
    assert.deepEqual(new Set(await Promise.all(inserted)), new Set([1]))
    assert.equal((await partitions(sql)).split(' ').length, 26)
  })

  await t.test('who reads for long is waited for by retention, and by nobody else', async () => {
    const reader = await other.reserve()
    onEnd(t, () => reader.release())
    await reader`begin`
    await reader`select count(*) from usage_events`
    const before = new Date('2024-03-01T00:00:00Z')
    await assert.rejects(dropUsageBefore(sql, before, 200), { code: '55P03' })
    const dropped = dropUsageBefore(sql, before, 60_000)
    const atMs = Date.parse('2024-06-01T00:00:00Z')
    for (let turn = 0; turn < 20; turn += 1) await insertUsageEvents(sql, [makeUsageEvent({ atMs })], 5000)
    // A month that is missing as well.
    const event = makeUsageEvent({ atMs: Date.UTC(2023, 1), id: makeTimeOrderedId(Date.UTC(2023, 1)) })
    assert.equal(await insertUsageEvents(sql, [event], 5000), 1)
    await reader`commit`
    assert.equal(await dropped, 3)
  })

  await t.test('two that drop at once drop each month once', async () => {
    const before = new Date('2024-06-01T00:00:00Z')
    const counts = await Promise.all([dropUsageBefore(sql, before, 30_000), dropUsageBefore(other, before, 30_000)])
    assert.equal(counts[0] + counts[1], 3)
    assert.match(await partitions(sql), /^2024_06 /)
  })
})
