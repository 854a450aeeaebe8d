import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Sql } from 'postgres'
import type { UsageEvent } from '../../../src/domain/usage-event.ts'
import { openDatabase } from '../../../src/store/database.ts'
import { migrate } from '../../../src/store/migrate.ts'
import { insertUsageEvents } from '../../../src/store/usage-events.ts'
import type { UsageDimension } from '../../../src/store/usage-query.ts'
import { queryUsage } from '../../../src/store/usage-sums.ts'
import { onEnd } from '../../support/cleanup.ts'
import { empty } from '../../support/conformance.ts'
import { databaseKinds, openTestDatabase } from '../../support/databases.ts'
import { createDatabase } from '../../support/services.ts'
import { modelOfSpending, readSpending } from '../../support/spending-model.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { allTime, makeUsageEvent } from '../../support/usage.ts'
import { addUp, addUpBy, anyBatches, distinct, modelOfSums, readAllSums } from '../../support/usage-model.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

const byGroup = async (sql: Sql, groupBy: readonly UsageDimension[], range = allTime) => {
  const query = { range, granularity: 'none', groupBy, filter: {} } as const
  const rows = await queryUsage(sql, query, { limit: 100, after: null })
  return new Map(rows.map(({ group, sums }) => [group.map(value => value ?? '').join(' '), sums]))
}

for (const kind of databaseKinds) {
  test(`P13 the sums of hours and days are those of the distinct events, on ${kind}`, async t => {
    const sql = await openTestDatabase(t, kind)
    const check = fc.asyncProperty(anyBatches, fc.integer({ min: 0, max: 100 }), async (batches, replayed) => {
      await empty(sql)
      const events = distinct(batches)
      let inserted = 0
      for (const batch of batches) inserted += await insertUsageEvents(sql, batch, 5000)
      // What had no answer comes again.
      inserted += await insertUsageEvents(sql, batches[replayed % batches.length] ?? [], 5000)
      assert.equal(inserted, events.length)
      assert.deepEqual(await readAllSums(sql), modelOfSums(events))
      assert.deepEqual(await readSpending(sql), modelOfSpending(events))
      assert.deepEqual(
        await byGroup(sql, ['key']),
        addUpBy(events, ({ keyId }) => keyId ?? ''),
      )
      assert.deepEqual(
        await byGroup(sql, ['account']),
        addUpBy(events, ({ accountId }) => accountId),
      )
      assert.deepEqual(
        await byGroup(sql, ['model']),
        addUpBy(events, ({ model }) => model),
      )
      const at = events[0]?.atMs ?? 0
      const range = {
        fromMs: Math.floor(at / hourMs) * hourMs,
        untilMs: Math.ceil((at + 40 * dayMs) / hourMs) * hourMs,
      }
      const within = events.filter(({ atMs }) => atMs >= range.fromMs && atMs < range.untilMs)
      assert.deepEqual(await byGroup(sql, [], range), new Map([['', addUp(within)]]))
    })
    await fc.assert(check, { numRuns: kind === 'embedded' ? 4 : 15 })
  })
}

test('P10 replicas that insert the same and other events at once wait for each other in no circle', async t => {
  const stores = { dataDir: makeTempDir(t), databaseUrl: await createDatabase(t) }
  const databases = await Promise.all([openDatabase(stores), openDatabase(stores)])
  for (const database of databases) onEnd(t, () => database.close())
  const replicas = databases.map(({ sql }) => sql)
  const [sql] = replicas
  assert.ok(sql)
  await migrate(sql)
  const startMs = Date.parse('2026-05-31T23:00:00Z')
  // Periods, accounts and models in all orders, of which a month has no partition yet.
  const makeEvent = (index: number) =>
    makeUsageEvent({
      atMs: startMs + ((index * 7919) % 1500) * 5000,
      model: `m${(index * 31) % 97}`,
      tier: `t${index % 3}`,
      keyId: index % 11 === 0 ? null : `k${(index * 13) % 29}`,
    })
  const common = Array.from({ length: 1500 }, (_, index) => makeEvent(index))
  const ownOfAll: UsageEvent[] = []
  const insertAll = async (own: Sql, turn: number): Promise<number> => {
    let inserted = 0
    for (let start = 0; start < common.length; start += 150) {
      const batch = common.slice((start + turn * 1050) % common.length).slice(0, 150)
      inserted += await insertUsageEvents(own, turn % 2 === 0 ? batch : batch.toReversed(), 30_000)
      // Events that nobody waits for, of sums that all do.
      const alone = Array.from({ length: 100 }, (_, index) => makeEvent(start * 17 + index * (turn + 1)))
      ownOfAll.push(...alone)
      inserted += await insertUsageEvents(own, alone, 30_000)
    }
    return inserted
  }
  // Without a second try: that of a deadlock would be an error here.
  const counts = await Promise.all([0, 1, 2].flatMap(turn => replicas.map(own => insertAll(own, turn))))
  const events = [...common, ...ownOfAll]
  assert.equal(
    counts.reduce((total, count) => total + count),
    events.length,
  )
  assert.deepEqual(await readAllSums(sql), modelOfSums(events))
  assert.deepEqual(await readSpending(sql), modelOfSpending(events))
})
