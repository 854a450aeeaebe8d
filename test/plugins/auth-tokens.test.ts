import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../../src/config.ts'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'
import { insertAccount } from '../../src/store/accounts.ts'
import { withDeadline } from '../../src/store/deadline.ts'
import { revokeKey } from '../../src/store/keys.ts'
import { buildReadyAuthApp, storeKey } from '../support/auth-app.ts'
import { type Json, signHs256 } from '../support/jwt-maker.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { until } from '../support/until.ts'

const issuer = 'https://login.example.com/'
const secret = '0f1e2d3c4b5a69788796a5b4c3d2e1f0-of-the-issuer'
type Issuer = Config['auth']['issuers'][string]

function issuerOf(changes: Partial<Issuer> = {}): Issuer {
  return {
    issuer,
    audience: ['weir'],
    secret,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    claims: { account: 'sub' },
    tiers: {},
    scopes: ['chat', 'models'],
    scopeNames: {},
    provision: false,
    defaultTier: 'free',
    clockToleranceMs: 30_000,
    ...changes,
  }
}

const jwt = (claims: Json, from = issuer, key = secret) =>
  signHs256(key, { iss: from, aud: 'weir', exp: Math.ceil(Date.now() / 1000) + 600, ...claims })

const build = async (t: TestContext, databaseUrl: string, ...issuers: Issuer[]) =>
  await buildReadyAuthApp(t, databaseUrl, {
    auth: { issuers: Object.fromEntries(issuers.map((each, index) => [`issuer-${index}`, each])) },
  })

async function makeAccount({ sql }: FastifyInstance, name: string, subject: string, from = issuer): Promise<string> {
  const id = makeTimeOrderedId(Date.now())
  await insertAccount(sql, { id, name, tier: 'premium' })
  await sql`insert into account_identities (issuer, subject, account_id) values (${from}, ${subject}, ${id})`
  return id
}

const get = (app: FastifyInstance, url: string, credential: string) =>
  app.inject({ url, headers: { authorization: `Bearer ${credential}` } })

test('a JWT is the account that its claim names, with what issuer and tier allow', async t => {
  const { app } = await build(t, await createMigratedDatabase(t), issuerOf())
  const id = await makeAccount(app, 'acme', 'user-1')
  const exp = Math.ceil(Date.now() / 1000) + 300
  const { statusCode, body } = await get(app, '/chat', jwt({ sub: 'user-1', exp }))
  assert.equal(statusCode, 200)
  const { limits, ...principal } = JSON.parse(body)
  assert.deepEqual([limits.accountId, limits.keyId, limits.tier, limits.limits[0].size], [id, null, 'premium', 600])
  assert.deepEqual(principal, {
    accountId: id,
    accountName: 'acme',
    credential: 'jwt',
    keyId: null,
    identity: { issuer, subject: 'user-1' },
    tier: 'premium',
    models: ['*'],
    semanticCache: false,
    scopes: ['chat', 'models'],
    expiresAtMs: exp * 1000,
  })
  const refused = await get(app, '/embeddings', jwt({ sub: 'user-1' }))
  assert.equal(refused.statusCode, 403)
  assert.match(refused.json().error.message, /"embeddings".* Its tier premium has it/)
})

test('who is not known is a 401, and so is who is suspended, until that ends', async t => {
  const { app } = await build(t, await createMigratedDatabase(t), issuerOf())
  const id = await makeAccount(app, 'acme', 'user-1')
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-2' }))).statusCode, 401)
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-1' }))).statusCode, 200)
  await app.sql`update accounts set status = 'suspended' where id = ${id}`
  app.announceChange({ kind: 'account', id })
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-1' }))).statusCode, 401)
  await app.sql`update accounts set status = 'active' where id = ${id}`
  app.announceChange({ kind: 'account', id })
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-1' }))).statusCode, 200)
})

test('with provision whoever comes first is given an account, once, however many come at once', async t => {
  const { app } = await build(t, await createMigratedDatabase(t), issuerOf({ provision: true, defaultTier: 'premium' }))
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => get(app, '/chat', jwt({ sub: 'new', jti: Math.random() }))),
  )
  assert.deepEqual(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
  const [first] = answers
  assert.equal(new Set(answers.map(answer => answer.json().accountId)).size, 1)
  assert.deepEqual([first?.json().tier, first?.json().accountName], ['premium', `${issuer} new`])
  const [{ n } = { n: 0 }] = await app.sql`select count(*)::int as n from audit_log where action = 'account.create'`
  assert.equal(n, 1)
})

test("a tier in the token counts in place of the account's, and admin only where the issuer may give it", async t => {
  const claims = { account: 'sub', tier: 'plan', scopes: 'scope' }
  const strict = issuerOf({ claims, tiers: { gold: 'enterprise', basic: 'free' } })
  const generous = issuerOf({
    claims: { account: 'sub', scopes: 'scope' },
    issuer: 'https://root/',
    scopes: scopeNames,
  })
  const { app } = await build(t, await createMigratedDatabase(t), strict, generous)
  await makeAccount(app, 'acme', 'user-1')
  await makeAccount(app, 'root', 'user-1', 'https://root/')
  const principal = async (token: string) => {
    const answer = await get(app, '/chat', token)
    const { tier, scopes } = answer.json()
    return [answer.statusCode, tier, scopes]
  }
  const scope = 'chat admin root'
  assert.deepEqual(await principal(jwt({ sub: 'user-1', plan: 'gold', scope })), [200, 'enterprise', ['chat']])
  assert.deepEqual(await principal(jwt({ sub: 'user-1', scope })), [200, 'premium', ['chat']])
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-1', plan: 'platinum', scope }))).statusCode, 401)
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-1', plan: 'gold' }))).statusCode, 403)
  const admin = jwt({ sub: 'user-1', scope }, 'https://root/')
  assert.deepEqual(await principal(admin), [200, 'premium', ['chat', 'admin']])
  assert.equal((await get(app, '/admin', admin)).statusCode, 200)
})

test('a token of ours ends with its key, with its account, and by itself', async t => {
  const { app } = await build(t, await createMigratedDatabase(t))
  const id = makeTimeOrderedId(Date.now())
  await insertAccount(app.sql, { id, name: 'acme', tier: 'premium' })
  const key = await storeKey(app, { accountId: id, scopes: ['chat', 'models'] })
  const keyId = key.slice(8, 24)
  const grant = { keyId, accountId: id, scopes: ['chat', 'embeddings'] as const, expiresAtMs: Date.now() + 600_000 }
  const token = app.tokens.issue(grant)
  const answer = await get(app, '/chat', token)
  assert.deepEqual([answer.json().credential, answer.json().keyId, answer.json().scopes], ['token', keyId, ['chat']])
  // Narrower than the key, and never wider.
  for (const scope of ['models', 'embeddings']) assert.equal((await get(app, `/${scope}`, token)).statusCode, 403)

  await app.sql`update accounts set status = 'suspended' where id = ${id}`
  app.announceChange({ kind: 'account', id })
  assert.equal((await get(app, '/chat', token)).statusCode, 401)
  await app.sql`update accounts set status = 'active' where id = ${id}`
  app.announceChange({ kind: 'account', id })
  assert.equal((await get(app, '/chat', token)).statusCode, 200)
  await revokeKey(app.sql, keyId)
  app.announceChange({ kind: 'key', id: keyId })
  assert.equal((await get(app, '/chat', token)).statusCode, 401)

  const other = await storeKey(app)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const short = app.tokens.issue({ ...grant, keyId: other.slice(8, 24), expiresAtMs: Date.now() + 60_000 })
  assert.equal((await get(app, '/chat', short)).statusCode, 200)
  t.mock.timers.tick(60_000)
  assert.equal((await get(app, '/chat', short)).statusCode, 401)
})

test('K07: tokens alike for long and subjects of the same name never stand for one another', async t => {
  const others = 'https://other.example.com/'
  const otherSecret = 'f0e1d2c3b4a5968778695a4b3c2d1e0f-of-the-other'
  const { app } = await build(
    t,
    await createMigratedDatabase(t),
    issuerOf({ claims: { account: 'tenant' } }),
    issuerOf({ claims: { account: 'tenant' }, issuer: others, secret: otherSecret }),
  )
  // The same header, issuer, audience, end and subject: what differs stands far behind.
  const alike = { exp: Math.ceil(Date.now() / 1000) + 600, sub: 'the same person', padding: 'p'.repeat(200) }
  const callers: { readonly token: string; readonly name: string }[] = []
  for (let index = 0; index < 25; index += 1) {
    for (const [from, key] of [
      [issuer, secret],
      [others, otherSecret],
    ] as const) {
      const name = `tenant ${index} of ${from}`
      await makeAccount(app, name, `tenant-${index}`, from)
      callers.push({ name, token: jwt({ ...alike, tenant: `tenant-${index}` }, from, key) })
    }
  }
  const heads = new Set(callers.map(({ token }) => token.slice(0, 200)))
  assert.ok(heads.size <= 2, 'they begin alike')
  const wrong: string[] = []
  for (let round = 0; round < 100; round += 1) {
    // All in flight at once, the first round all unknown.
    const chosen = Array.from({ length: 100 }, (_, index) => callers[(index * 7 + round) % callers.length])
    await Promise.all(
      chosen.map(async caller => {
        const { statusCode, body } = await get(app, '/chat', caller?.token ?? '')
        // A database that is too slow for its deadline on a busy machine is no mix: who is told to wait is nobody.
        const { accountName } = JSON.parse(body)
        if (statusCode === 200 ? accountName !== caller?.name : statusCode !== 503) wrong.push(`${statusCode} ${body}`)
      }),
    )
  }
  assert.deepEqual(wrong, [])
  for (const { token, name } of callers) assert.equal((await get(app, '/chat', token)).json().accountName, name)
})

test('G05: while PostgreSQL is down known JWTs and tokens go on, unknown ones get 503 and forged ones 401', async t => {
  const server = await startPostgres(t)
  const { app } = await build(t, server.url, issuerOf({ provision: true }))
  await makeAccount(app, 'acme', 'user-1')
  const key = await storeKey(app)
  const token = app.tokens.issue({
    keyId: key.slice(8, 24),
    accountId: 'x',
    scopes: ['chat'],
    expiresAtMs: Date.now() + 600_000,
  })
  for (const credential of [key, token, jwt({ sub: 'user-1' })])
    assert.equal((await get(app, '/chat', credential)).statusCode, 200)

  await server.kill()
  await withDeadline(app.sql`select 1`).catch(error => app.database.reportFailure(error))
  // Also what is new of somebody known: another token of the same key, another JWT of the same account.
  for (const credential of [key, token, jwt({ sub: 'user-1' }), jwt({ sub: 'user-1', jti: 'another' })])
    assert.equal((await get(app, '/chat', credential)).statusCode, 200)
  const unknown = await get(app, '/chat', jwt({ sub: 'user-2' }))
  assert.deepEqual([unknown.statusCode, unknown.json().error.code], [503, 'auth_unavailable'])
  assert.equal(
    (await get(app, '/chat', jwt({ sub: 'user-1' }, issuer, 'another secret, which is long enough'))).statusCode,
    401,
  )

  await server.start()
  await until('the database is there again', () => app.database.state === 'ready')
  assert.equal((await get(app, '/chat', jwt({ sub: 'user-2' }))).statusCode, 200)
})
