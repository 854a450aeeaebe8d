import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findNearest, rebuildEntries } from '../../../src/store/semantic-entries.ts'
import { prepareDimensions, prepareVectors } from '../../../src/store/vector-extension.ts'
import { openTestDatabase } from '../../support/databases.ts'

const timeoutMs = 5000

test("C05 an entry is found by the HNSW index behind thousands of others' that are nearer", async t => {
  const sql = await openTestDatabase(t, 'embedded')
  await prepareVectors(sql)
  await prepareDimensions(sql, 4)
  // Somebody else's lie all around the question, those of the scope further away, one of them nearer than the rest.
  await sql`
    insert into semantic_entries (scope, guard, entry_key, account_id, model, dimensions, embedding, expires_at)
    select case when i <= 2500 then 'theirs' else 'ours' end, 'g', 'e' || i, 'a', 'm', 4,
      case when i <= 2500 then format('[1,%s,%s,%s]', sin(i) / 50, cos(i) / 50, sin(7 * i) / 50)
        when i = 3000 then '[1,0.2,0,0]' else format('[1,%s,%s,%s]', 1 + sin(i) / 9, 1 + cos(i) / 9, sin(7 * i)) end::vector,
      now() + interval '1 hour'
    from generate_series(1, 3500) as i`
  await sql`analyze semantic_entries`
  const scans = async () => {
    const [row] = await sql<{ scans: number }[]>`
      select idx_scan::integer as scans from pg_stat_user_indexes where indexrelname = 'semantic_entries_near_4'`
    return row?.scans ?? 0
  }
  const before = await scans()
  const place = { scope: 'ours', guard: 'g', vector: [1, 0, 0, 0] }
  const found = await findNearest(sql, place, timeoutMs)
  assert.equal(found?.entryKey, 'e3000')
  assert.ok(Math.abs(found.similarity - 1 / Math.hypot(1, 0.2)) < 1e-6)
  await sql`select pg_stat_force_next_flush()`
  assert.ok((await scans()) > before, 'the index was used')
  // Without a setting that stays: the next one who has the connection finds it as it was.
  const [setting] = await sql<{ is: string }[]>`select current_setting('hnsw.iterative_scan') as is`
  assert.equal(setting?.is, 'off')

  await sql`delete from semantic_entries where scope = 'theirs'`
  await rebuildEntries(sql)
  assert.equal((await findNearest(sql, place, timeoutMs))?.entryKey, 'e3000')
})
