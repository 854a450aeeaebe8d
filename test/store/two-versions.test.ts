import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { onEnd } from '../support/cleanup.ts'
import { useLedger } from '../support/ledger-use.ts'
import { migrationNames, openOldDatabase } from '../support/schemas.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { recordings, replay } from '../support/statements.ts'
import { useAccountsAndKeys } from '../support/store-use.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { makeUsageEvent } from '../support/usage.ts'

const last = migrationNames.length

for (const recording of recordings()) {
  test(`what a version with ${recording.lastMigration} migrations asks has the same outcome on the newest schema`, async t => {
    const { databaseUrl: own } = await openOldDatabase(t, recording.lastMigration)
    const outcomes = await replay(recording, own)
    assert.ok(outcomes.length > 20)
    assert.deepEqual(
      outcomes.filter(outcome => /: error /.test(outcome)),
      [],
    )
    assert.ok(outcomes.filter(outcome => !outcome.endsWith(' 0 rows')).length > outcomes.length / 2)
    assert.deepEqual(await replay(recording, await createMigratedDatabase(t)), outcomes)
  })
}

/** What a migration may do under a version that knows nothing of it. */
const additions = `
  do $$
  declare
    name text;
  begin
    for name in select c.oid::regclass::text from pg_class c
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    loop
      execute format('alter table %s add column added text, add column counted bigint not null default 0', name);
      execute format('create index on %s (added, counted)', name);
    end loop;
  end
  $$;
  create table later (id integer primary key);`

test('connections on which this version has asked everything go on when columns, indexes and tables are added under them', async t => {
  const databaseUrl = await createMigratedDatabase(t)
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl })
  onEnd(t, () => database.close())
  const { sql } = database
  for (const isChanged of [false, true]) {
    if (isChanged) await sql.unsafe(additions)
    await useAccountsAndKeys(sql)
    // Of two months, so that a partition is made of a table that has been changed.
    await useLedger(sql, Date.now() + (isChanged ? 62 * 86_400_000 : 0))
  }
})

/** Inserts all the time, as a replica's flusher does; gives how many once it is told to stop. */
function startWriter(sql: Sql, atMs: number) {
  let isRunning = true
  const written = (async () => {
    let count = 0
    while (isRunning)
      count += await insertUsageEvents(sql, [makeUsageEvent({ atMs }), makeUsageEvent({ atMs })], 30_000)
    return count
  })()
  return {
    stop: async () => {
      isRunning = false
      return await written
    },
  }
}

test('a schema is changed beside replicas of a version that goes on writing: no write fails, and each is counted once', async t => {
  const { sql, databaseUrl } = await openOldDatabase(t, 7)
  const atMs = Date.parse('2026-03-14T15:09:26.535Z')
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl })
  onEnd(t, () => database.close())
  const writers = [startWriter(database.sql, atMs), startWriter(database.sql, atMs)]
  await delay(200)
  const [applied, ...others] = await Promise.all([migrate(sql), migrate(sql), migrate(sql)])
  await delay(200)
  const count = (await Promise.all(writers.map(writer => writer.stop()))).reduce((sum, written) => sum + written, 0)
  assert.deepEqual([applied, ...others].flat().sort(), migrationNames.slice(7))
  const [sums] = await database.sql`
    select (select count(*) from usage_events)::int as events, (select sum(requests) from usage_daily)::int as daily,
           (select tokens / 120 from usage_spending where key_id = '' and unit = 'day')::int as spending`
  assert.deepEqual(sums, { events: count, daily: count, spending: count })
})

test('a step that cannot have its table lets those go first who want it, and is done when it is free', async t => {
  const { sql } = await openOldDatabase(t, 7)
  const holder = await sql.reserve()
  await holder`begin`
  await holder`insert into usage_denials (minute, id, account_id, denials, tier, limit_name, owner)
    values (now(), gen_random_uuid(), gen_random_uuid(), 1, 'free', 'requests_per_minute', 'account')`
  await holder`lock table usage_events in row exclusive mode`
  const migrated = migrate(sql)
  await delay(500)
  // The step waits for the table; who comes now waits behind it, but not for as long as the holder holds it.
  const sinceMs = performance.now()
  await insertUsageEvents(sql, [makeUsageEvent()], 10_000)
  const waitedMs = performance.now() - sinceMs
  assert.ok(waitedMs < 3500, `${waitedMs} ms`)
  await holder`commit`
  holder.release()
  assert.deepEqual(await migrated, migrationNames.slice(7, last))
})
