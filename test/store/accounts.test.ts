import assert from 'node:assert/strict'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import {
  type Account,
  defaultAccount,
  findAccountById,
  findAccountByName,
  findAccountByRequest,
  insertAccount,
  listAccounts,
  type NewAccount,
  updateAccount,
} from '../../src/store/accounts.ts'
import { findIdentity, findOrProvision } from '../../src/store/callers.ts'
import { timeOfChange } from '../../src/store/change-outcome.ts'
import { author, conform } from '../support/conformance.ts'

let lastMs = Date.parse('2030-01-01')

/** An account that is newer than all before. */
async function store(sql: Sql, changes: Partial<NewAccount> = {}): Promise<Account> {
  const account = { id: makeTimeOrderedId(++lastMs), name: `account ${lastMs}`, tier: 'free', ...changes }
  assert.equal(await insertAccount(sql, account, author), 'done')
  const stored = await findAccountById(sql, account.id)
  assert.ok(stored)
  return stored
}

const actionsOn = async (sql: Sql, id: string) =>
  (await sql`select action from audit_log where target_id = ${id} order by id`).map(({ action }) => action)

const all = { name: null, tier: null, status: null, includeDeleted: false } as const
const ada = { issuer: 'https://id.example', subject: 'ada' }
const bob = { issuer: 'https://id.example', subject: 'Bob' }

conform('accounts', {
  'the default account is there': async sql => {
    const account = await findAccountByName(sql, 'default')
    assert.deepEqual([account?.id, account?.tier], [defaultAccount.id, defaultAccount.tier])
    assert.deepEqual(await findAccountById(sql, defaultAccount.id), account)
  },

  'an account is found with all that it has': async sql => {
    const createdAt = new Date()
    const limits = { requests_per_minute: 5, spend_per_day: '0.50', tokens_per_day: null }
    const fields = { name: 'a', tier: 'free', status: 'suspended', limits, metadata: { team: 'x' }, createdAt } as const
    const { id, version, ...rest } = await store(sql, { ...fields, identities: [ada, bob] })
    assert.deepEqual(rest, { ...fields, identities: [bob, ada], updatedAt: createdAt, deletedAt: null })
    assert.match(version, /^[0-9]+$/)
    assert.equal((await findAccountByName(sql, 'a'))?.id, id)
    assert.equal(await findAccountByName(sql, 'A'), null)
    assert.equal(await findAccountById(sql, makeTimeOrderedId(1)), null)
  },

  'of several with one name the first is made': async sql => {
    const ids = [1, 2, 3].map(makeTimeOrderedId)
    const outcomes = await Promise.all(ids.map(id => insertAccount(sql, { id, name: 'Müller & Söhne', tier: 'free' })))
    assert.deepEqual(outcomes.toSorted(), ['done', 'name-taken', 'name-taken'])
    assert.equal((await findAccountByName(sql, 'Müller & Söhne'))?.id, ids[outcomes.indexOf('done')])
    assert.equal(await findAccountByName(sql, 'müller & söhne'), null)
  },

  'an identity is of one account, and an account that cannot have it is not made': async sql => {
    await store(sql, { identities: [ada] })
    const second = { id: makeTimeOrderedId(1), name: 'second', tier: 'free' }
    assert.equal(await insertAccount(sql, { ...second, identities: [bob, ada] }, author), 'identity-taken')
    assert.equal(await findAccountById(sql, second.id), null)
    assert.deepEqual(await actionsOn(sql, second.id), [])
    const other = await store(sql, { identities: [bob] })
    const after = { ...other, identities: [ada], updatedAt: timeOfChange(other) }
    assert.equal(await updateAccount(sql, { before: other, after }, author), 'identity-taken')
    assert.deepEqual((await findAccountById(sql, other.id))?.identities, [bob])
    assert.deepEqual(await actionsOn(sql, other.id), ['account.create'])
  },

  'a request that comes twice makes one account': async sql => {
    const origin = { createdBy: 'key:x', idempotencyKey: 'once', requestDigest: Buffer.alloc(32, 1) }
    const make = (name: string) => insertAccount(sql, { id: makeTimeOrderedId(++lastMs), name, tier: 'free', origin })
    const outcomes = await Promise.all(['a', 'b', 'c'].map(make))
    assert.deepEqual(outcomes.toSorted(), ['done', 'stale', 'stale'])
    const found = await findAccountByRequest(sql, 'key:x', 'once')
    assert.equal(found?.account.name, ['a', 'b', 'c'][outcomes.indexOf('done')])
    assert.deepEqual(Buffer.from(found?.requestDigest ?? []), origin.requestDigest)
    assert.equal(await findAccountByRequest(sql, 'key:y', 'once'), null)
  },

  'a change is made on the version that it was decided on, and on no other': async sql => {
    const before = await store(sql, { identities: [ada] })
    const change = (tier: string) =>
      updateAccount(
        sql,
        { before, after: { ...before, tier, identities: [bob], updatedAt: timeOfChange(before) } },
        author,
      )
    const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(change))
    assert.deepEqual(outcomes.toSorted(), ['done', 'stale', 'stale', 'stale'])
    const now = await findAccountById(sql, before.id)
    assert.deepEqual([now?.tier, now?.identities], [['a', 'b', 'c', 'd'][outcomes.indexOf('done')], [bob]])
    assert.notEqual(now?.version, before.version)
    assert.deepEqual(await actionsOn(sql, before.id), ['account.create', 'account.update'])
  },

  'one that is deleted gives its name back, and its identities to whom they are given, not to who comes with them':
    async sql => {
      const before = await store(sql, { name: 'phoenix', identities: [ada] })
      const now = timeOfChange(before)
      const after = { ...before, status: 'suspended', identities: [], updatedAt: now, deletedAt: now } as const
      assert.equal(await updateAccount(sql, { before, after }, author), 'done')
      assert.deepEqual(await actionsOn(sql, before.id), ['account.create', 'account.delete'])
      assert.equal(await findAccountByName(sql, 'phoenix'), null)
      assert.deepEqual((await findAccountById(sql, before.id))?.deletedAt, now)
      // Whoever was shut out with it is known as such, and is given no new account.
      const standing = await findOrProvision(sql, ada, { tier: 'free', requestId: 'req_1', timeoutMs: 5000 })
      assert.deepEqual([standing?.accountId, standing?.accountStatus], [before.id, 'suspended'])
      assert.deepEqual((await findAccountById(sql, before.id))?.identities, [])
      const second = await store(sql, { name: 'phoenix', identities: [ada, bob] })
      assert.equal((await findAccountByName(sql, 'phoenix'))?.id, second.id)
      assert.deepEqual(second.identities, [bob, ada])
      assert.equal((await findIdentity(sql, ada))?.accountId, second.id)
      const third = { id: makeTimeOrderedId(2), name: 'third', tier: 'free', identities: [ada] }
      assert.equal(await insertAccount(sql, third, author), 'identity-taken')
      // The database itself lets none be deleted and active.
      await assert.rejects(updateAccount(sql, { before: second, after: { ...second, deletedAt: now } }, author), {
        code: '23514',
      })
    },

  'accounts are listed newest first, page by page, of one name, tier or status where that is asked for': async sql => {
    await store(sql, { name: 'one' })
    const two = await store(sql, { name: 'two', tier: 'premium' })
    await store(sql, { name: 'three', status: 'suspended' })
    const four = await store(sql, { name: 'four' })
    const now = new Date()
    await updateAccount(sql, { before: four, after: { ...four, status: 'suspended', deletedAt: now } }, author)
    const names = async (filter: object, page: object = {}) => {
      const accounts = await listAccounts(sql, { ...all, ...filter }, { limit: 10, before: null, ...page })
      return accounts.map(({ name }) => name)
    }
    assert.deepEqual(await names({}), ['three', 'two', 'one', 'default'])
    assert.deepEqual(await names({ includeDeleted: true }), ['four', 'three', 'two', 'one', 'default'])
    assert.deepEqual(await names({}, { limit: 2 }), ['three', 'two'])
    assert.deepEqual(await names({}, { before: two.id }), ['one', 'default'])
    assert.deepEqual(await names({ name: 'two' }), ['two'])
    assert.deepEqual(await names({ tier: 'free' }), ['three', 'one'])
    assert.deepEqual(await names({ status: 'suspended' }), ['three'])
  },
})
