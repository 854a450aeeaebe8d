import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Sql } from 'postgres'
import {
  addEntry,
  findNearest,
  forgetEntries,
  rebuildEntries,
  type SemanticEntry,
  sweepEntries,
} from '../../src/store/semantic-entries.ts'
import { indexedAs, prepareDimensions, prepareVectors } from '../../src/store/vector-extension.ts'
import { openTestDatabase } from '../support/databases.ts'

const timeoutMs = 5000
const entry = (change: Partial<SemanticEntry>): SemanticEntry => ({
  scope: 's',
  guard: 'g',
  entryKey: 'e',
  accountId: 'a',
  model: 'm',
  ttlMs: 60_000,
  vector: [1, 0, 0],
  ...change,
})

async function entriesOf(sql: Sql): Promise<string> {
  const rows = await sql<{ key: string }[]>`select entry_key as key from semantic_entries order by id`
  return rows.map(({ key }) => key).join(' ')
}

// One after the other in one database, as opening one is most of what they would take.
test('C05 the questions that answers are kept for', async t => {
  const sql = await openTestDatabase(t, 'embedded')
  await t.test('a role without the right to make the extension is told what to do', t => refuses(t, sql))
  await t.test('the nearest is of the same scope and guard, of the same length, and not expired', () => finds(sql))
  await t.test('a role that may use the tables need not be allowed to make them', async s => {
    s.after(() => sql`reset role`)
    await sql`grant select on semantic_entries to weir_guest`
    await sql`set role weir_guest`
    assert.equal((await prepareVectors(sql)).kind, 'ready')
  })
  await sql`truncate semantic_entries`
  await t.test('they are forgotten by what they are of, swept, and pushed out by their own account', () => forgets(sql))
  await t.test('an old pgvector is not enough', () => refusesOld(sql))
})

async function finds(sql: Sql): Promise<void> {
  assert.equal((await prepareVectors(sql)).kind, 'ready')
  // A replica that starts later, and one that has made the index already.
  assert.equal((await prepareVectors(sql)).kind, 'ready')
  await prepareDimensions(sql, 3)
  await prepareDimensions(sql, 3)
  const find = (change: Partial<SemanticEntry> = {}) => findNearest(sql, entry(change), timeoutMs)

  assert.equal(await find(), null)
  await addEntry(sql, entry({ entryKey: 'near', vector: [10, 1, 0] }))
  await addEntry(sql, entry({ entryKey: 'far', vector: [1, 1, 0] }))
  await addEntry(sql, entry({ entryKey: 'other-scope', scope: 't' }))
  await addEntry(sql, entry({ entryKey: 'other-guard', guard: 'h' }))
  await addEntry(sql, entry({ entryKey: 'other-length', vector: [1, 0] }))
  await addEntry(sql, entry({ entryKey: 'expired', ttlMs: -1 }))
  const found = await find()
  assert.equal(found?.entryKey, 'near')
  assert.ok(Math.abs(found.similarity - 10 / Math.hypot(10, 1)) < 1e-6, String(found.similarity))
  assert.equal((await find({ vector: [1, 2, 0] }))?.entryKey, 'far')
  assert.equal((await find({ scope: 't' }))?.entryKey, 'other-scope')
  assert.equal(await find({ scope: 'u' }), null)
  assert.equal(await find({ vector: [1, 0, 0, 0] }), null)

  // Once more: it lasts longer, and is there once.
  await addEntry(sql, entry({ entryKey: 'expired' }))
  assert.deepEqual(await find(), { entryKey: 'expired', similarity: 1 })
}

async function forgets(sql: Sql): Promise<void> {
  const facts = { accountId: '1', model: '3', entryKey: '4' }
  for (const [name, value] of Object.entries(facts)) await addEntry(sql, entry({ entryKey: name, [name]: value }))
  assert.equal(await forgetEntries(sql, { by: 'account', value: '1' }), 1)
  assert.equal(await entriesOf(sql), 'model 4')
  assert.equal(await forgetEntries(sql, { by: 'model', value: '3' }), 1)
  assert.equal(await forgetEntries(sql, { by: 'key', value: 'x' }), 0)
  assert.equal(await forgetEntries(sql, { by: 'key', value: '4' }), 1)
  assert.deepEqual(await sweepEntries(sql, 3), { entries: 0, expired: 0, evicted: 0 })

  for (const key of ['b1', 'b2', 'old'])
    await addEntry(sql, entry({ entryKey: key, accountId: 'b', ttlMs: key === 'old' ? -1 : 60_000 }))
  for (const key of ['a1', 'a2', 'a3', 'a4']) await addEntry(sql, entry({ entryKey: key }))
  assert.deepEqual(await sweepEntries(sql, 4), { entries: 4, expired: 1, evicted: 2 })
  assert.equal(await entriesOf(sql), 'b1 b2 a3 a4')
  await rebuildEntries(sql)
  const indexes = await sql`select 1 from pg_indexes where indexname = 'semantic_entries_near_3'`
  assert.equal(indexes.length, 1)
  assert.equal((await findNearest(sql, entry({}), timeoutMs))?.similarity, 1)
}

async function refuses(t: TestContext, sql: Sql): Promise<void> {
  t.after(() => sql`reset role`)
  await sql`create role weir_guest`
  await sql`set role weir_guest`
  const refused = await prepareVectors(sql)
  assert.match(refused.kind === 'unusable' ? refused.reason : '', /permission denied.*let a superuser run/)
}

async function refusesOld(sql: Sql): Promise<void> {
  await sql`update pg_extension set extversion = '0.7.4' where extname = 'vector'`
  const old = await prepareVectors(sql)
  assert.match(old.kind === 'unusable' ? old.reason : '', /pgvector 0\.7\.4 is installed: update it to 0\.8/)
}

test('C05 a PostgreSQL without pgvector says so and what to do', async t => {
  const missing = await prepareVectors(await openTestDatabase(t, 'PostgreSQL'))
  assert.match(missing.kind === 'unusable' ? missing.reason : '', /does not have the extension: install pgvector/)
})

test('vectors of up to 2000 dimensions are indexed as they are, up to 4000 in half precision, and others are refused', () => {
  assert.equal(indexedAs(2000).type, 'vector(2000)')
  assert.equal(indexedAs(2001).type, 'halfvec(2001)')
  assert.equal(indexedAs(4000).operators, 'halfvec_cosine_ops')
  for (const wrong of [0, 4001, 1.5, Number.NaN, -1]) assert.throws(() => indexedAs(wrong), RangeError)
})
