import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { openDatabase } from '../../src/store/database.ts'
import { insertKey } from '../../src/store/keys.ts'
import { LastUsed } from '../../src/store/last-used.ts'
import { migrate } from '../../src/store/migrate.ts'
import { onEnd } from '../support/cleanup.ts'
import { databaseKinds, openTestDatabase } from '../support/databases.ts'
import { peppersOf } from '../support/peppers.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const hour = 3_600_000

async function storeKeys(sql: Parameters<typeof insertKey>[0], count: number): Promise<string[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const { key: _, ...identity } = makeApiKey(peppers)
      const row = { accountId: defaultAccount.id, name: 'a key', scopes: null, models: null, expiresAt: null }
      await insertKey(sql, { ...identity, ...row, createdAt: new Date() })
      return identity.publicId
    }),
  )
}

for (const kind of databaseKinds) {
  test(`the last use of keys is written behind, never back in time, and never for keys that are not there: ${kind}`, async t => {
    const sql = await openTestDatabase(t, kind)
    const warnings: unknown[] = []
    const lastUsed = new LastUsed({
      sql,
      log: { warn: details => warnings.push(details) },
      intervalMs: hour,
      isReachable: () => true,
    })
    const [used = '', unused = ''] = await storeKeys(sql, 2)
    const timeOf = async (publicId: string) =>
      (await sql`select last_used_at as at from api_keys where public_id = ${publicId}`)[0]?.['at']?.getTime() ?? null

    lastUsed.note(used, 1_700_000_000_123)
    lastUsed.note(used, 1_700_000_001_456)
    lastUsed.note('no-such-key', 1_700_000_000_000)
    assert.equal(await timeOf(used), null)
    await lastUsed.flush()
    assert.equal(await timeOf(used), 1_700_000_001_456)
    assert.equal(await timeOf(unused), null)

    lastUsed.note(used, 1_600_000_000_000)
    await lastUsed.stop()
    assert.equal(await timeOf(used), 1_700_000_001_456)
    assert.deepEqual(warnings, [])
  })
}

test('what cannot be written while the database is down is written later, and said once', async t => {
  const server = await startPostgres(t)
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: server.url })
  onEnd(t, () => database.close())
  await migrate(database.sql)
  const [first = '', second = ''] = await storeKeys(database.sql, 2)
  const warnings: unknown[] = []
  const lastUsed = new LastUsed({
    sql: database.sql,
    log: { warn: details => warnings.push(details) },
    intervalMs: hour,
    isReachable: () => true,
  })
  await server.kill()
  lastUsed.note(first, 1000)
  await lastUsed.flush()
  lastUsed.note(first, 2000)
  lastUsed.note(second, 3000)
  await lastUsed.flush()
  assert.equal(warnings.length, 1)
  await server.start()
  database.renew('closed')
  await lastUsed.stop()
  const rows = await database.sql`select last_used_at as at from api_keys where last_used_at is not null order by 1`
  assert.deepEqual(
    rows.map(({ at }) => at.getTime()),
    [2000, 3000],
  )
})

test('replicas that write the same keys in another order never wait for one another', async t => {
  const url = await createDatabase(t)
  const replicas = await Promise.all(
    [1, 2, 3].map(async () => {
      const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: url })
      onEnd(t, () => database.close())
      return database.sql
    }),
  )
  const [first] = replicas
  assert.ok(first)
  await migrate(first)
  const keys = await storeKeys(first, 100)
  const warnings: unknown[] = []
  const log = { warn: (details: object) => warnings.push(details) }
  const notes = replicas.map(sql => new LastUsed({ sql, log, intervalMs: hour, isReachable: () => true }))
  const lastMs = 1_700_000_000_000
  for (let round = 0; round <= 10; round += 1) {
    for (const [index, lastUsed] of notes.entries()) {
      const order = index % 2 === 0 ? keys : keys.toReversed()
      for (const publicId of order) lastUsed.note(publicId, lastMs - 10_000 + round * 1000)
    }
    await Promise.all(notes.map(lastUsed => lastUsed.flush()))
  }
  // What was passed over for a row that another replica was writing comes with the next flush.
  await Promise.all(notes.map(lastUsed => lastUsed.stop()))
  assert.deepEqual(warnings, [])
  const [row] = await first`select count(*)::int as n from api_keys where last_used_at = ${new Date(lastMs)}`
  assert.equal(row?.['n'], keys.length)
})

test('while the database is known to be away nothing is tried, and the end of the process not held up', async () => {
  const never = () => assert.fail('it was asked')
  const sql = new Proxy(never, { get: never, apply: never }) as unknown as Sql
  const lastUsed = new LastUsed({ sql, log: { warn: never }, intervalMs: hour, isReachable: () => false })
  lastUsed.note('some-key', 1)
  await lastUsed.stop()
})
