import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseApiKey } from '../../src/domain/api-key.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'
import { findKey } from '../../src/store/callers.ts'
import { DatabaseContact } from '../../src/store/contact.ts'
import { openDatabase } from '../../src/store/database.ts'
import { ensureFirstKey, NoKeyError } from '../../src/store/first-key.ts'
import { listKeys } from '../../src/store/key-listing.ts'
import { revokeKey } from '../../src/store/keys.ts'
import { onEnd } from '../support/cleanup.ts'
import { peppersOf } from '../support/peppers.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const silent = { info: () => {}, warn: () => {}, error: () => {} }

async function open(t: TestContext, databaseUrl: string) {
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl })
  const contact = new DatabaseContact(database, silent, 'new')
  onEnd(t, async () => {
    await contact.stop()
    await database.close()
  })
  return { sql: database.sql, database: contact, peppers, isLoopback: true, hasAdminKey: false }
}

test('on loopback without any usable key an admin key is made, once, and only its digest is kept', async t => {
  const options = await open(t, await createDatabase(t))
  const first = await ensureFirstKey(options)
  assert.ok(first.kind === 'made')
  const identity = parseApiKey(peppers, first.key)
  assert.ok(identity)
  const stored = await findKey(options.sql, identity.publicId)
  assert.deepEqual(stored?.scopes, [...scopeNames])
  assert.deepEqual(stored?.models, ['*'])
  assert.deepEqual([stored?.accountName, stored?.tier], ['default', 'enterprise'])
  const rows = JSON.stringify(await options.sql`select * from api_keys`)
  assert.equal(rows.includes(first.key.slice(-54)), false)

  assert.deepEqual(await ensureFirstKey(options), { kind: 'present' })
  await revokeKey(options.sql, identity.publicId)
  assert.equal((await ensureFirstKey(options)).kind, 'made')
  assert.equal((await listKeys(options.sql, { accountId: null, status: null }, { limit: 10, before: null })).length, 2)
})

test('off loopback without any key it refuses and says what to do; with one it goes on', async t => {
  const options = await open(t, await createDatabase(t))
  await assert.rejects(ensureFirstKey({ ...options, isLoopback: false }), error => {
    assert.ok(error instanceof NoKeyError)
    assert.match(error.message, /WEIR_ADMIN_KEY/)
    return true
  })
  await ensureFirstKey(options)
  assert.deepEqual(await ensureFirstKey({ ...options, isLoopback: false }), { kind: 'present' })
})

test('with a preset admin key nothing is asked and nothing made', async t => {
  const options = await open(t, 'postgres://nobody@127.0.0.1:1/nothing')
  assert.deepEqual(await ensureFirstKey({ ...options, isLoopback: false, hasAdminKey: true }), { kind: 'preset' })
})

test('with the database down it is not known, and the answer comes with the database', async t => {
  const server = await startPostgres(t)
  await server.kill()
  const check = ensureFirstKey(await open(t, server.url))
  await server.start()
  assert.equal((await check).kind, 'made')
})

test('a program that stops before the database answers does not wait for it', async t => {
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' })
  const contact = new DatabaseContact(database, silent, 'new')
  const check = ensureFirstKey({ sql: database.sql, database: contact, peppers, isLoopback: true, hasAdminKey: false })
  const ended = assert.rejects(check, /stopped/)
  await contact.stop()
  await database.close()
  await ended
})
