import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Sql } from 'postgres'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { defaultAccount, findAccountByName, insertAccount } from '../../src/store/accounts.ts'
import { findKey } from '../../src/store/callers.ts'
import { hasUsableKey, insertKey, listKeys, type NewKeyRow, revokeKey } from '../../src/store/keys.ts'
import { databaseKinds, openTestDatabase } from '../support/databases.ts'
import { peppersOf } from '../support/peppers.ts'

let lastCreatedMs = Date.parse('2030-01-01')
const peppers = peppersOf('a pepper that is long enough for tests')

function newRow(changes: Partial<NewKeyRow> = {}): NewKeyRow {
  const { key: _, ...identity } = makeApiKey(peppers)
  const row = { accountId: defaultAccount.id, name: 'a key', scopes: null, models: null, expiresAt: null }
  return { ...identity, ...row, createdAt: new Date(++lastCreatedMs), ...changes }
}

/** Every test starts with the default account and nothing else. */
async function empty(sql: Sql): Promise<void> {
  await sql`delete from api_keys`
  await sql`update accounts set status = 'active'`
  await sql`delete from accounts where id <> ${defaultAccount.id}`
}

/** What any store of keys has to do, whichever database is under it. */
const conformance: Record<string, (sql: Sql) => Promise<void>> = {
  'a stored key is found with what its account says': async sql => {
    const expiresAt = new Date('2030-01-02T03:04:05.678Z')
    const row = newRow({ scopes: ['chat', 'admin'], models: ['llama-*', 'a,"b\\{}'], expiresAt, metadata: { a: [1] } })
    await insertKey(sql, row)
    const found = await findKey(sql, row.publicId)
    assert.deepEqual(found && { ...found, digest: Buffer.from(found.digest) }, {
      publicId: row.publicId,
      digest: row.digest,
      scopes: ['chat', 'admin'],
      models: ['llama-*', 'a,"b\\{}'],
      expiresAt,
      revokedAt: null,
      accountId: defaultAccount.id,
      accountName: 'default',
      accountStatus: 'active',
      tier: 'enterprise',
    })
    const [{ metadata } = { metadata: null }] = await sql`select metadata from api_keys`
    assert.deepEqual(metadata, { a: [1] })
  },

  'a key without limits of its own has none, which is not the same as empty ones': async sql => {
    const [none, nothing] = [newRow(), newRow({ scopes: [], models: [] })]
    await insertKey(sql, none)
    await insertKey(sql, nothing)
    const found = [await findKey(sql, none.publicId), await findKey(sql, nothing.publicId)]
    assert.deepEqual(
      found.map(key => [key?.scopes, key?.models]),
      [
        [null, null],
        [[], []],
      ],
    )
  },

  'storing a key twice stores it once and changes nothing': async sql => {
    const row = newRow({ name: 'first' })
    await insertKey(sql, row)
    await insertKey(sql, { ...row, name: 'second' })
    assert.deepEqual(
      (await listKeys(sql, null, 10)).map(key => key.name),
      ['first'],
    )
  },

  'a key is usable until it is revoked, has expired, or its account is suspended': async sql => {
    assert.equal(await hasUsableKey(sql), false)
    await insertKey(sql, newRow({ expiresAt: new Date(Date.now() - 1000) }))
    assert.equal(await hasUsableKey(sql), false)
    const row = newRow({ expiresAt: new Date(Date.now() + 60_000) })
    await insertKey(sql, row)
    assert.equal(await hasUsableKey(sql), true)
    await sql`update accounts set status = 'suspended'`
    assert.equal(await hasUsableKey(sql), false)
    await sql`update accounts set status = 'active'`
    await revokeKey(sql, row.publicId)
    assert.equal(await hasUsableKey(sql), false)
  },

  'revoking keeps the first time, and says when there was nothing to revoke': async sql => {
    const row = newRow()
    await insertKey(sql, row)
    const first = await revokeKey(sql, row.publicId)
    assert.ok(first)
    assert.deepEqual(await revokeKey(sql, row.publicId), first)
    assert.deepEqual((await findKey(sql, row.publicId))?.revokedAt, first)
    assert.equal(await revokeKey(sql, 'no such key'), null)
  },

  'keys are listed oldest first, of one account where it is named, and no more than asked for': async sql => {
    const acme = { id: makeTimeOrderedId(Date.now()), name: 'acme', tier: 'free' }
    await insertAccount(sql, acme)
    for (const name of ['one', 'two']) await insertKey(sql, newRow({ name }))
    await insertKey(sql, newRow({ name: 'three', accountId: acme.id }))
    const names = async (account: string | null, limit: number) =>
      (await listKeys(sql, account, limit)).map(key => key.name)
    assert.deepEqual(await names(null, 10), ['one', 'two', 'three'])
    assert.deepEqual(await names(null, 2), ['one', 'two'])
    assert.deepEqual(await names('acme', 10), ['three'])
    assert.deepEqual(await names('nobody', 10), [])
  },

  'an account is made once per name': async sql => {
    const [first, second] = [1, 2].map(time => ({ id: makeTimeOrderedId(time), name: 'Müller & Söhne', tier: 'free' }))
    assert.ok(first && second)
    await Promise.all([insertAccount(sql, first), insertAccount(sql, second)])
    const account = await findAccountByName(sql, 'Müller & Söhne')
    assert.deepEqual([account?.tier, account?.status], ['free', 'active'])
    assert.equal(await findAccountByName(sql, 'müller & söhne'), null)
  },

  'the default account is there': async sql => {
    const account = await findAccountByName(sql, 'default')
    assert.deepEqual([account?.id, account?.tier], [defaultAccount.id, defaultAccount.tier])
  },

  'a digest that is cut and a key without an account are refused by the database itself': async sql => {
    await assert.rejects(insertKey(sql, newRow({ digest: Buffer.alloc(31) })), { code: '23514' })
    await assert.rejects(insertKey(sql, newRow({ accountId: makeTimeOrderedId(1) })), { code: '23503' })
  },
}

for (const kind of databaseKinds) {
  test(`keys and accounts on ${kind}`, async (t: TestContext) => {
    const sql = await openTestDatabase(t, kind)
    for (const [name, check] of Object.entries(conformance)) {
      await t.test(name, async () => {
        await empty(sql)
        await check(sql)
      })
    }
  })
}
