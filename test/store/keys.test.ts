import assert from 'node:assert/strict'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { defaultAccount, findAccountById, insertAccount, updateAccount } from '../../src/store/accounts.ts'
import { findKey } from '../../src/store/callers.ts'
import { timeOfChange } from '../../src/store/change-outcome.ts'
import { findKeyByRequest, findStoredKey, listKeys, type StoredKey, statusOfKey } from '../../src/store/key-listing.ts'
import {
  hasUsableKey,
  insertKey,
  type NewKeyRow,
  revokeKey,
  revokeKeysOf,
  rotateKey,
  updateKey,
} from '../../src/store/keys.ts'
import { author, conform, newKeyRow } from '../support/conformance.ts'

async function store(sql: Sql, changes: Partial<NewKeyRow> = {}): Promise<StoredKey> {
  const row = newKeyRow(changes)
  assert.equal(await insertKey(sql, row, author), 'done')
  return await get(sql, row.publicId)
}

async function get(sql: Sql, publicId: string): Promise<StoredKey> {
  const key = await findStoredKey(sql, publicId)
  assert.ok(key)
  return key
}

const all = { accountId: null, status: null } as const
const firstPage = { limit: 10, before: null } as const
const namesOf = (keys: readonly StoredKey[]) => keys.map(({ name }) => name)

/** The actions in the audit log on one key, oldest first. */
const actionsOn = async (sql: Sql, id: string) =>
  (await sql`select action from audit_log where target_id = ${id} order by id`).map(({ action }) => action)

conform('keys', {
  'a stored key is found with what its account says': async sql => {
    const expiresAt = new Date('2030-01-02T03:04:05.678Z')
    const row = newKeyRow({
      scopes: ['chat', 'admin'],
      models: ['llama-*', 'a,"b\\{}'],
      expiresAt,
      metadata: { a: '1' },
    })
    await insertKey(sql, row)
    const found = await findKey(sql, row.publicId)
    assert.deepEqual(found && { ...found, digest: Buffer.from(found.digest) }, {
      publicId: row.publicId,
      digest: row.digest,
      scopes: ['chat', 'admin'],
      models: ['llama-*', 'a,"b\\{}'],
      semanticCache: false,
      expiresAt,
      revokedAt: null,
      accountId: defaultAccount.id,
      accountName: 'default',
      accountStatus: 'active',
      tier: 'enterprise',
      accountLimits: {},
      keyLimits: {},
    })
    const [{ metadata } = { metadata: null }] = await sql`select metadata from api_keys`
    assert.deepEqual(metadata, { a: '1' })
  },

  'a key without limits of its own has none, which is not the same as empty ones': async sql => {
    const [none, nothing] = [newKeyRow(), newKeyRow({ scopes: [], models: [] })]
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
    const row = newKeyRow({ name: 'first' })
    await insertKey(sql, row)
    assert.equal(await insertKey(sql, { ...row, name: 'second' }), 'stale')
    assert.deepEqual(namesOf(await listKeys(sql, all, firstPage)), ['first'])
    assert.deepEqual(await actionsOn(sql, row.publicId), ['key.create'])
  },

  'a key is usable until it is revoked, has expired, or its account is suspended': async sql => {
    assert.equal(await hasUsableKey(sql), false)
    await insertKey(sql, newKeyRow({ expiresAt: new Date(Date.now() - 1000) }))
    assert.equal(await hasUsableKey(sql), false)
    const row = newKeyRow({ expiresAt: new Date(Date.now() + 60_000) })
    await insertKey(sql, row)
    assert.equal(await hasUsableKey(sql), true)
    await sql`update accounts set status = 'suspended'`
    assert.equal(await hasUsableKey(sql), false)
    await sql`update accounts set status = 'active'`
    await revokeKey(sql, row.publicId)
    assert.equal(await hasUsableKey(sql), false)
  },

  'revoking keeps the first time, and says when there was nothing to revoke': async sql => {
    const row = newKeyRow()
    await insertKey(sql, row)
    const first = await revokeKey(sql, row.publicId)
    assert.ok(first)
    assert.deepEqual(await revokeKey(sql, row.publicId), first)
    assert.deepEqual((await findKey(sql, row.publicId))?.revokedAt, first)
    assert.equal(await revokeKey(sql, 'no such key'), null)
  },

  'keys are listed newest first, page by page, of one account or one status where that is asked for': async sql => {
    const acme = { id: makeTimeOrderedId(Date.now()), name: 'acme', tier: 'free' }
    await insertAccount(sql, acme)
    await store(sql, { name: 'one' })
    await store(sql, { name: 'two', expiresAt: new Date(Date.now() - 1000) })
    const three = await store(sql, { name: 'three', accountId: acme.id })
    await revokeKey(sql, (await store(sql, { name: 'four' })).publicId)
    const names = async (filter: object, page: object = {}) =>
      namesOf(await listKeys(sql, { ...all, ...filter }, { ...firstPage, ...page }))
    assert.deepEqual(await names({}), ['four', 'three', 'two', 'one'])
    assert.deepEqual(await names({}, { limit: 2 }), ['four', 'three'])
    assert.deepEqual(await names({}, { before: three }), ['two', 'one'])
    assert.deepEqual(await names({ accountId: acme.id }), ['three'])
    assert.deepEqual(await names({ accountId: makeTimeOrderedId(1) }), [])
    assert.deepEqual(await names({ status: 'active' }), ['three', 'one'])
    assert.deepEqual(await names({ status: 'expired' }), ['two'])
    assert.deepEqual(await names({ status: 'revoked' }), ['four'])
  },

  'keys that were made at the same time are still one after the other': async sql => {
    const createdAt = new Date()
    const made = await Promise.all(Array.from({ length: 5 }, () => store(sql, { createdAt })))
    const seen: string[] = []
    for (let before: StoredKey | null = null; ; ) {
      const [next]: readonly StoredKey[] = await listKeys(sql, all, { limit: 1, before })
      if (next === undefined) break
      seen.push(next.publicId)
      before = next
    }
    assert.equal(seen.length, made.length)
    assert.deepEqual(new Set(seen), new Set(made.map(({ publicId }) => publicId)))
  },

  'a stored key is found with all that it is administered by': async sql => {
    const expiresAt = new Date(Date.now() + 60_000)
    const limits = { requests_per_minute: 1_000_000_000_000, spend_per_day: '0.000000001' }
    const kept = { limits, semanticCache: true, metadata: { team: 'a' }, expiresAt }
    const fields = { name: 'n', scopes: ['chat'], models: ['m'], ...kept } as const
    const key = await store(sql, fields)
    const { version, accountVersion, createdAt, publicId, ...rest } = key
    assert.deepEqual(rest, {
      ...fields,
      updatedAt: createdAt,
      revokedAt: null,
      lastUsedAt: null,
      replaces: null,
      replacedBy: null,
      accountId: defaultAccount.id,
      accountName: 'default',
      accountStatus: 'active',
      tier: 'enterprise',
      accountLimits: {},
    })
    assert.match(`${version} ${accountVersion}`, /^[0-9]+ [0-9]+$/)
    assert.deepEqual(
      [-1, 0].map(ms => statusOfKey(key, expiresAt.getTime() + ms)),
      ['active', 'expired'],
    )
    assert.equal(await findStoredKey(sql, publicId.toLowerCase().padEnd(17)), null)
  },

  'a change is made on the version that it was decided on, and on no other': async sql => {
    const before = await store(sql)
    const change = (name: string) =>
      updateKey(sql, { before, after: { ...before, name, scopes: ['chat'], updatedAt: timeOfChange(before) } }, author)
    const outcomes = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(change))
    assert.deepEqual(outcomes.toSorted(), ['done', 'stale', 'stale', 'stale', 'stale'])
    assert.deepEqual(await actionsOn(sql, before.publicId), ['key.create', 'key.update'])
    assert.deepEqual((await get(sql, before.publicId)).scopes, ['chat'])
    // Nor where what it rests on is another by now.
    const key = await get(sql, before.publicId)
    const account = await findAccountById(sql, key.accountId)
    assert.ok(account)
    const narrower = { ...account, limits: { tokens_per_day: 1 }, updatedAt: timeOfChange(account) }
    assert.equal(await updateAccount(sql, { before: account, after: narrower }, author), 'done')
    assert.equal(await updateKey(sql, { before: key, after: { ...key, name: 'late' } }, author), 'stale')
    const late = newKeyRow({ accountVersion: key.accountVersion })
    assert.equal(await insertKey(sql, late, author), 'stale')
    const fresh = newKeyRow()
    assert.equal(await rotateKey(sql, { old: key, oldEndsAt: new Date(), fresh }, author), 'stale')
    assert.equal((await listKeys(sql, all, firstPage)).length, 1)
    assert.deepEqual(await actionsOn(sql, late.publicId), [])
  },

  'a key is replaced once, however many try at once': async sql => {
    const old = await store(sql, { name: 'old' })
    const oldEndsAt = new Date(Date.now() + 60_000)
    const createdAt = timeOfChange(old)
    const replacements = Array.from({ length: 5 }, () => newKeyRow({ name: 'new', createdAt }))
    const outcomes = await Promise.all(replacements.map(fresh => rotateKey(sql, { old, oldEndsAt, fresh }, author)))
    assert.deepEqual(outcomes.toSorted(), ['done', 'stale', 'stale', 'stale', 'stale'])
    const fresh = await get(sql, replacements[outcomes.indexOf('done')]?.publicId ?? '')
    const ended = await get(sql, old.publicId)
    assert.deepEqual([ended.replacedBy, ended.expiresAt], [fresh.publicId, oldEndsAt])
    assert.deepEqual([fresh.replaces, fresh.expiresAt], [old.publicId, null])
    assert.equal((await listKeys(sql, all, firstPage)).length, 2)
    assert.deepEqual(await actionsOn(sql, old.publicId), ['key.create', 'key.rotate'])
    assert.deepEqual(await actionsOn(sql, fresh.publicId), ['key.create'])
    // Where the old one was read before, the key that replaces it is in the way.
    const again = { old: ended, oldEndsAt, fresh: newKeyRow() }
    assert.equal(await rotateKey(sql, again, author), 'stale')
  },

  'a request that comes twice makes one key': async sql => {
    const origin = { createdBy: 'key:x', idempotencyKey: 'once', requestDigest: Buffer.alloc(32, 1) }
    const rows = Array.from({ length: 5 }, () => newKeyRow({ origin }))
    const outcomes = await Promise.all(rows.map(row => insertKey(sql, row, author)))
    assert.deepEqual(outcomes.toSorted(), ['done', 'stale', 'stale', 'stale', 'stale'])
    const found = await findKeyByRequest(sql, 'key:x', 'once')
    assert.equal(found?.key.publicId, rows[outcomes.indexOf('done')]?.publicId)
    assert.deepEqual(Buffer.from(found?.requestDigest ?? []), origin.requestDigest)
    assert.equal(await findKeyByRequest(sql, 'key:y', 'once'), null)
    assert.equal(await insertKey(sql, newKeyRow({ origin: { ...origin, createdBy: 'key:y' } }), author), 'done')
    const keyless = { ...origin, idempotencyKey: null }
    for (const _ of [1, 2]) assert.equal(await insertKey(sql, newKeyRow({ origin: keyless }), author), 'done')
  },

  'all keys of an account end, those of others do not': async sql => {
    const acme = { id: makeTimeOrderedId(Date.now()), name: 'acme', tier: 'free' }
    await insertAccount(sql, acme)
    const [first, second] = [await store(sql, { accountId: acme.id }), await store(sql, { accountId: acme.id })]
    await store(sql, { accountId: acme.id, expiresAt: new Date(Date.now() - 1000) })
    await revokeKey(sql, first.publicId)
    const other = await store(sql)
    for (const _ of [1, 2]) await revokeKeysOf(sql, acme.id, author)
    assert.equal((await listKeys(sql, { accountId: acme.id, status: 'revoked' }, firstPage)).length, 3)
    assert.deepEqual(await actionsOn(sql, first.publicId), ['key.create', 'key.revoke'])
    assert.deepEqual(await actionsOn(sql, second.publicId), ['key.create', 'key.revoke'])
    assert.equal((await get(sql, other.publicId)).revokedAt, null)
  },

  'a digest that is cut and a key without an account are refused by the database itself': async sql => {
    await assert.rejects(insertKey(sql, newKeyRow({ digest: Buffer.alloc(31) })), { code: '23514' })
    await assert.rejects(insertKey(sql, newKeyRow({ accountId: makeTimeOrderedId(1) })), { code: '23503' })
  },
})
