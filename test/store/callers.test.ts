import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { accountSnapshot, defaultAccount, findAccountById } from '../../src/store/accounts.ts'
import { findIdentity, findKey, provisionAccount } from '../../src/store/callers.ts'
import { insertKey } from '../../src/store/keys.ts'
import { databaseKinds, openTestDatabase } from '../support/databases.ts'
import { peppersOf } from '../support/peppers.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const issuer = 'https://login.example.com/'

/** What the look-ups of authentication have to do, whichever database is under them. */
const conformance: Record<string, (sql: Sql) => Promise<void>> = {
  'a key is found with what its account says': async sql => {
    const { key: _, ...identity } = makeApiKey(peppers)
    const expiresAt = new Date('2030-01-02T03:04:05.678Z')
    const row = {
      name: 'a key',
      scopes: ['chat', 'admin'] as const,
      models: ['llama-*', 'a,"b\\{}'],
      expiresAt,
      limits: { requests_per_minute: 3, spend_per_day: '0.5' },
    }
    await sql`update accounts set limits = ${sql.json({ tokens_per_day: null, spend_per_month: '9000000' })}
              where id = ${defaultAccount.id}`
    await insertKey(sql, { ...identity, ...row, accountId: defaultAccount.id, createdAt: new Date() })
    const found = await findKey(sql, identity.publicId)
    assert.deepEqual(found && { ...found, digest: Buffer.from(found.digest) }, {
      publicId: identity.publicId,
      digest: identity.digest,
      scopes: ['chat', 'admin'],
      models: ['llama-*', 'a,"b\\{}'],
      semanticCache: false,
      expiresAt,
      revokedAt: null,
      accountId: defaultAccount.id,
      accountName: 'default',
      accountStatus: 'active',
      tier: 'enterprise',
      accountLimits: { tokens_per_day: null, spend_per_month: '9000000' },
      keyLimits: { requests_per_minute: 3, spend_per_day: '0.5' },
    })
    await sql`update accounts set limits = '{}' where id = ${defaultAccount.id}`
  },

  'a key that is not there is not found, whatever is asked for': async sql => {
    for (const id of ['', "' or 1=1 --", '0'.repeat(16), 'x'.repeat(10_000)]) assert.equal(await findKey(sql, id), null)
  },

  'an identity is issuer and subject together, each to the letter': async sql => {
    const ids = [makeTimeOrderedId(1), makeTimeOrderedId(2)] as const
    for (const [index, id] of ids.entries())
      await sql`insert into accounts (id, name, tier, limits)
                values (${id}, ${`tenant ${index}`}, 'free', ${sql.json({ requests_per_day: index })})`
    await sql`insert into account_identities ${sql([
      { issuer, subject: 'same', account_id: ids[0] },
      { issuer: 'https://other.example.com/', subject: 'same', account_id: ids[1] },
    ])}`
    assert.equal((await findIdentity(sql, { issuer, subject: 'same' }))?.accountId, ids[0])
    const other = await findIdentity(sql, { issuer: 'https://other.example.com/', subject: 'same' })
    assert.deepEqual(other, {
      accountId: ids[1],
      accountName: 'tenant 1',
      accountStatus: 'active',
      tier: 'free',
      accountLimits: { requests_per_day: 1 },
    })
    for (const subject of ['Same', 'same ', '', "' or 1=1 --"])
      assert.equal(await findIdentity(sql, { issuer, subject }), null)
    assert.equal(await findIdentity(sql, { issuer: issuer.slice(0, -1), subject: 'same' }), null)
  },

  'who comes first is given an account once, with an entry in the audit log': async sql => {
    const identity = { issuer, subject: 'auth0|42' }
    await Promise.all(
      Array.from({ length: 5 }, () => provisionAccount(sql, identity, { tier: 'premium', requestId: 'req_1' })),
    )
    const account = await findIdentity(sql, identity)
    assert.deepEqual([account?.tier, account?.accountName], ['premium', `${issuer} auth0|42`])
    const [{ made } = { made: 0 }] = await sql`select count(*)::int as made from accounts where tier = 'premium'`
    assert.equal(made, 1)
    const entries = await sql`
      select actor_kind, actor_id, actor_account, action, target_id, before, after, request_id from audit_log
      where target_id = ${account?.accountId ?? ''}`
    assert.equal(entries.length, 1)
    const { after, ...entry } = entries[0] ?? {}
    assert.deepEqual(entry, {
      actor_kind: 'jwt',
      actor_id: `${issuer} auth0|42`,
      actor_account: account?.accountId,
      action: 'account.create',
      target_id: account?.accountId,
      before: null,
      request_id: 'req_1',
    })
    const stored = await findAccountById(sql, account?.accountId ?? '')
    assert.deepEqual(after, stored && accountSnapshot(stored))
  },

  'nobody is given the account of a name that is taken': async sql => {
    const identity = { issuer, subject: 'me' }
    const id = makeTimeOrderedId(Date.now())
    await sql`insert into accounts (id, name, tier) values (${id}, ${`${issuer} me`}, 'enterprise')`
    await provisionAccount(sql, identity, { tier: 'free', requestId: 'req_1' })
    const account = await findIdentity(sql, identity)
    assert.ok(account)
    assert.notEqual(account.accountId, id)
    assert.equal(account.accountName, `${issuer} me ${account.accountId}`)
    assert.equal(account.tier, 'free')
  },

  'those whose accounts would have one name are all given one, also at once': async sql => {
    const long = `https://oidc.example.com/id/${'0'.repeat(60)}`
    const identities = Array.from({ length: 20 }, (_, index) => ({
      issuer: long,
      subject: `worker of some kind ${index}`,
    }))
    await Promise.all(identities.map(identity => provisionAccount(sql, identity, { tier: 'free', requestId: 'req_1' })))
    const accounts = await Promise.all(identities.map(identity => findIdentity(sql, identity)))
    assert.equal(new Set(accounts.map(account => account?.accountName ?? 'none')).size, 20)
    assert.equal(accounts.includes(null), false)
  },

  'a subject as long as it may be, in any writing, has an account': async sql => {
    const identity = { issuer: `https://${'i'.repeat(1000)}.example.com/`, subject: '界'.repeat(256) }
    await provisionAccount(sql, identity, { tier: 'free', requestId: 'req_1' })
    assert.equal((await findIdentity(sql, identity))?.tier, 'free')
  },
}

for (const kind of databaseKinds) {
  test(`look-ups of callers on ${kind}`, async t => {
    const sql = await openTestDatabase(t, kind)
    for (const [name, check] of Object.entries(conformance)) {
      await t.test(name, async () => {
        await sql`delete from account_identities`
        await sql`delete from api_keys`
        await sql`delete from accounts where id <> ${defaultAccount.id}`
        await check(sql)
      })
    }
  })
}
