import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseApiKey } from '../../src/domain/api-key.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'
import { DatabaseContact } from '../../src/store/contact.ts'
import { openDatabase } from '../../src/store/database.ts'
import { checkFirstKey, NoKeyError } from '../../src/store/first-key.ts'
import { findKey, listKeys, revokeKey } from '../../src/store/keys.ts'
import { onEnd } from '../support/cleanup.ts'
import { peppersOf } from '../support/peppers.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const silent = { info: () => {}, warn: () => {}, error: () => {} }

async function open(t: TestContext, databaseUrl: string) {
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl })
  const contact = new DatabaseContact(database, silent)
  onEnd(t, async () => {
    await contact.stop()
    await database.close()
  })
  return { sql: database.sql, database: contact, peppers, isLoopback: true, hasAdminKey: false }
}

test('on loopback without any usable key an admin key is made, once, and only its digest is kept', async t => {
  const options = await open(t, await createDatabase(t))
  const check = checkFirstKey(options)
  assert.equal(check.holdsReadiness, true)
  const first = await check.result
  assert.equal(check.holdsReadiness, false)
  assert.ok(first.kind === 'made')
  const identity = parseApiKey(peppers, first.key)
  assert.ok(identity)
  const stored = await findKey(options.sql, identity.publicId)
  assert.deepEqual(stored?.scopes, [...scopeNames])
  assert.deepEqual(stored?.models, ['*'])
  assert.deepEqual([stored?.accountName, stored?.tier], ['default', 'enterprise'])
  const rows = JSON.stringify(await options.sql`select * from api_keys`)
  assert.equal(rows.includes(first.key.slice(-54)), false)

  assert.deepEqual(await checkFirstKey(options).result, { kind: 'present' })
  await revokeKey(options.sql, identity.publicId)
  assert.equal((await checkFirstKey(options).result).kind, 'made')
  assert.equal((await listKeys(options.sql, null, 10)).length, 2)
})

test('off loopback without any key it refuses and says what to do; with one it goes on', async t => {
  const options = await open(t, await createDatabase(t))
  await assert.rejects(checkFirstKey({ ...options, isLoopback: false }).result, error => {
    assert.ok(error instanceof NoKeyError)
    assert.match(error.message, /WEIR_ADMIN_KEY/)
    return true
  })
  await checkFirstKey(options).result
  assert.deepEqual(await checkFirstKey({ ...options, isLoopback: false }).result, { kind: 'present' })
})

test('with a preset admin key nothing is asked and nothing made', async t => {
  const options = await open(t, 'postgres://nobody@127.0.0.1:1/nothing')
  const check = checkFirstKey({ ...options, isLoopback: false, hasAdminKey: true })
  assert.equal(check.holdsReadiness, false)
  assert.deepEqual(await check.result, { kind: 'preset' })
})

test('with the database down it is not known: readiness is held for a minute, and the answer comes with the database', async t => {
  const server = await startPostgres(t)
  await server.kill()
  t.mock.timers.enable({ apis: ['Date'] })
  const check = checkFirstKey(await open(t, server.url))
  assert.equal(check.holdsReadiness, true)
  await server.start()
  assert.equal((await check.result).kind, 'made')
  assert.equal(check.holdsReadiness, false)
})

test('a program that stops before the database answers does not wait for it', async t => {
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' })
  const contact = new DatabaseContact(database, silent)
  const check = checkFirstKey({ sql: database.sql, database: contact, peppers, isLoopback: true, hasAdminKey: false })
  const ended = assert.rejects(check.result, /stopped/)
  await contact.stop()
  await database.close()
  await ended
})
