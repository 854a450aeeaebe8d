import assert from 'node:assert/strict'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { accountSnapshot, findAccountById, insertAccount, updateAccount } from '../../src/store/accounts.ts'
import { type AuditEntry, type AuditFilter, listAudit, system } from '../../src/store/audit.ts'
import { findStoredKey, keySnapshot } from '../../src/store/key-listing.ts'
import { insertKey, revokeKey } from '../../src/store/keys.ts'
import { author, conform, everyEntry, newKeyRow } from '../support/conformance.ts'

async function read(sql: Sql, filter: Partial<AuditFilter> = {}, page: { limit?: number; before?: string } = {}) {
  return await listAudit(sql, { ...everyEntry, ...filter }, { limit: 100, before: null, ...page })
}

let lastMs = Date.parse('2031-01-01')

/** Makes an account and changes it; what the log has to say of it, newest first. */
async function change(sql: Sql) {
  const createdAt = new Date(++lastMs)
  const account = { id: makeTimeOrderedId(lastMs), name: `account ${lastMs}`, tier: 'free', createdAt }
  await insertAccount(sql, account, author)
  const before = await findAccountById(sql, account.id)
  assert.ok(before)
  const after = { ...before, metadata: { quotes: `'"\\ü` }, updatedAt: new Date(++lastMs) }
  await updateAccount(sql, { before, after }, system)
  const target = { kind: 'account', id: account.id }
  return [
    {
      at: after.updatedAt,
      author: system,
      action: 'account.update',
      target,
      before: accountSnapshot(before),
      after: accountSnapshot(after),
    },
    { at: createdAt, author, action: 'account.create', target, before: null, after: accountSnapshot(before) },
  ]
}

const withoutId = ({ id: _, ...entry }: AuditEntry) => entry

conform('the audit log', {
  'a change has one entry: who, what, before and after': async sql => {
    const expected = await change(sql)
    const entries = await read(sql, { targetId: expected[0]?.target.id ?? '' })
    assert.deepEqual(entries.map(withoutId), expected)
    for (const { id } of entries) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/)
  },

  'neither the digest of a key nor what only its account says is in it': async sql => {
    const row = newKeyRow()
    await insertKey(sql, row, author)
    const made = await findStoredKey(sql, row.publicId)
    assert.ok(made)
    await revokeKey(sql, row.publicId, author)
    const entries = await read(sql, { targetId: row.publicId })
    assert.deepEqual(
      entries.map(({ action }) => action),
      ['key.revoke', 'key.create'],
    )
    assert.deepEqual([entries[0]?.before, entries[1]?.after], [keySnapshot(made), keySnapshot(made)])
    const text = JSON.stringify(entries)
    for (const secret of [row.digest.toString('hex'), row.digest.toString('base64'), 'digest', 'pepper']) {
      assert.equal(text.includes(secret), false, secret)
    }
  },

  'it is read page by page, and by what is asked for': async sql => {
    const startMs = lastMs + 1
    const [[update, creation], [other]] = [await change(sql), await change(sql)]
    assert.ok(update && creation && other)
    const actions = async (filter: Partial<AuditFilter>, page = {}) =>
      (await read(sql, { since: new Date(startMs), ...filter }, page)).map(({ action }) => action)
    const { id } = update.target
    assert.deepEqual(await actions({ targetId: id }), ['account.update', 'account.create'])
    assert.deepEqual(await actions({ targetId: id, targetKind: 'key' }), [])
    assert.deepEqual(await actions({ action: 'account.create' }), ['account.create', 'account.create'])
    assert.deepEqual(await actions({ actorKind: 'system' }), ['account.update', 'account.update'])
    assert.deepEqual(await actions({ actorId: author.id }), ['account.create', 'account.create'])
    assert.deepEqual(await actions({ until: update.at }), ['account.create'])
    assert.deepEqual(await actions({ since: other.at }), ['account.update'])
    assert.deepEqual(await actions({}, { limit: 1 }), ['account.update'])
    const [newest] = await read(sql)
    assert.ok(newest)
    assert.equal((await actions({}, { before: newest.id })).length, 3)
  },

  'nobody changes it, empties it or takes a line out of it': async sql => {
    await change(sql)
    const before = await read(sql)
    for (const attempt of [
      sql`update audit_log set actor_id = 'nobody'`,
      sql`delete from audit_log`,
      sql`truncate audit_log`,
      sql`truncate audit_log cascade`,
    ]) {
      await assert.rejects(attempt, /the audit log is append-only/)
    }
    assert.deepEqual(await read(sql), before)
  },
})
