import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { migrateCommand } from '../../src/commands/migrate.ts'
import { runnerOf } from '../support/commands.ts'
import { copyEmbedded } from '../support/embedded-template.ts'
import { migrationNames, openOldDatabase } from '../support/schemas.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const run = runnerOf(migrateCommand)
const missing = migrationNames.slice(-2)
const pepper = { WEIR_KEY_PEPPER: 'a pepper that is long enough for tests' }

test('weir migrate brings an older database to the schema, and says what it did', async t => {
  const { databaseUrl } = await openOldDatabase(t, migrationNames.length - 2)
  const env = { ...pepper, DATABASE_URL: databaseUrl, WEIR_MIGRATE: 'never', WEIR_DATA_DIR: makeTempDir(t) }
  const before = await run(env, '--check')
  assert.deepEqual(before, { code: 1, stdout: missing.map(name => `missing ${name}\n`).join(''), stderr: '' })
  assert.deepEqual(JSON.parse((await run(env, '--check', '--json')).stdout), { applied: [], missing, unknown: [] })
  const done = await run(env, '--json')
  assert.deepEqual([done.code, JSON.parse(done.stdout)], [0, { applied: missing, missing: [], unknown: [] }])
  assert.deepEqual(await run(env), { code: 0, stdout: 'The database has the schema of this version.\n', stderr: '' })
})

test('weir migrate takes the embedded database too, where no server has it', async t => {
  const dataDir = makeTempDir(t)
  await copyEmbedded(dataDir)
  const { code, stdout } = await run({ WEIR_DATA_DIR: dataDir }, '--json')
  assert.deepEqual([code, JSON.parse(stdout)], [0, { applied: [], missing: [], unknown: [] }])
})

test('weir migrate says where the database cannot have the tables of the semantic cache, and is content all the same', async t => {
  const folder = makeTempDir(t)
  const config = join(folder, 'weir.yaml')
  const model = { targets: [{ backend: 'a' }], endpoints: ['chat', 'embeddings'] }
  const cache = { mode: 'all', semantic: { embeddingModel: 'm' } }
  writeFileSync(config, JSON.stringify({ backends: { a: { url: 'http://a' } }, models: { m: { ...model, cache } } }))
  const env = { ...pepper, DATABASE_URL: await createMigratedDatabase(t), WEIR_DATA_DIR: folder }
  const { code, stderr } = await run(env, '--config', config)
  assert.equal(code, 0)
  assert.match(stderr, /^weir migrate: the semantic cache stays off: this PostgreSQL does not have the extension/)
})

test('weir migrate says what it does not understand, and what its database answers', async t => {
  assert.deepEqual((await run({}, '--help')).code, 0)
  const unknown = await run({}, '--force')
  assert.deepEqual([unknown.code, /^weir migrate: Unknown option '--force'/.test(unknown.stderr)], [2, true])
  const { databaseUrl } = await openOldDatabase(t, 0)
  const elsewhere = new URL(databaseUrl)
  elsewhere.pathname = '/nothing_there'
  const { code, stderr } = await run({ ...pepper, DATABASE_URL: elsewhere.href })
  assert.deepEqual([code, stderr], [1, 'weir migrate: database "nothing_there" does not exist\n'])
})
