import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { onEnd } from '../support/cleanup.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

async function openReplicas(t: TestContext, count: number) {
  const stores = { dataDir: makeTempDir(t), databaseUrl: await createDatabase(t) }
  const databases = await Promise.all(Array.from({ length: count }, () => openDatabase(stores)))
  for (const database of databases) onEnd(t, () => database.close())
  return databases.map(database => database.sql)
}

test('of several replicas that start at once one applies each migration', async t => {
  const replicas = await openReplicas(t, 5)
  const applied = await Promise.all(replicas.map(migrate))
  const files = readdirSync(new URL('../../src/migrations/', import.meta.url))
  assert.deepEqual(applied.flat().sort(), files.sort())
  assert.deepEqual(await Promise.all(replicas.map(migrate)), [[], [], [], [], []])
})

test('a migration that was edited after it was applied is refused', async t => {
  const [sql] = await openReplicas(t, 1)
  assert.ok(sql)
  await migrate(sql)
  await sql`update weir_migrations set checksum = 'another'`
  await assert.rejects(migrate(sql), /0001-accounts-and-keys\.sql was edited/)
})

test('a database that is newer than the program is left alone', async t => {
  const [sql] = await openReplicas(t, 1)
  assert.ok(sql)
  await migrate(sql)
  await sql`insert into weir_migrations (version, name, checksum) values (9999, 'of the future', 'x')`
  assert.deepEqual(await migrate(sql), [])
})

test('a migration that fails leaves nothing behind', async t => {
  const [sql] = await openReplicas(t, 1)
  assert.ok(sql)
  await sql`create table api_keys (in_the_way int)`
  await assert.rejects(migrate(sql), { code: '42P07' })
  const [left] = await sql`select to_regclass('accounts') as accounts, to_regclass('weir_migrations') as migrations`
  assert.deepEqual(left, { accounts: null, migrations: null })
})
