import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IdentityProof } from '../../src/domain/proof.ts'
import { WeirError } from '../../src/errors.ts'
import {
  type App,
  audience,
  build,
  buildWithKeys,
  claims,
  ec,
  ed,
  hsIssuer,
  inMs,
  own,
  pepper,
  published,
  rsa,
  secret,
} from '../support/jwt-app.ts'
import { jwkOf, signHs256, signJwt } from '../support/jwt-maker.ts'

async function identityOf(app: App, token: string): Promise<IdentityProof> {
  const proof = await app.tokens.verify(token)
  assert.equal(proof?.kind, 'identity')
  return proof
}

test('each algorithm is accepted, and what a token proves is whole', async t => {
  const { app } = await buildWithKeys(t)
  for (const [pair, kid] of [
    [rsa, 'rsa'],
    [ec, 'ec'],
    [ed, 'ed'],
  ] as const) {
    for (const header of [{ kid }, {}, { kid, typ: 'at+jwt' }]) {
      const given = claims()
      const { isTrusted, ...proof } = await identityOf(app, signJwt(pair, given, header))
      assert.deepEqual(proof, {
        kind: 'identity',
        issuer: published,
        subject: 'alice',
        tier: null,
        scopes: ['chat', 'completions', 'embeddings', 'models', 'usage'],
        expiresAtMs: Number(given['exp']) * 1000,
      })
      assert.equal(isTrusted(), true)
    }
  }
  const proof = await identityOf(
    app,
    signHs256(secret, claims({ iss: hsIssuer, aud: ['x', audience] }), { kid: 'any' }),
  )
  assert.equal(proof.issuer, hsIssuer)
  assert.equal(proof.isTrusted(), true)
  assert.equal(await app.tokens.verify(signHs256(secret, claims({ iss: hsIssuer, aud: 'other' }))), null)
})

test('what the configuration says of an issuer holds for its tokens', async t => {
  const { app } = await buildWithKeys(t, {
    published:
      ', algorithms: [EdDSA], claims: { account: "user.id", tier: plan, scopes: scope }, tiers: { gold: premium }',
    secret:
      ', claims: { scopes: roles }, scopes: [chat, admin], scopeNames: { dev: [chat], root: [chat, admin, usage] }',
  })
  const given = claims({ sub: undefined, user: { id: 'bob' }, plan: 'gold', scope: 'chat admin profile' })
  const proof = await identityOf(app, signJwt(ed, given))
  assert.deepEqual([proof.subject, proof.tier, proof.scopes], ['bob', 'premium', ['chat']])
  assert.equal(await app.tokens.verify(signJwt(rsa, given, { kid: 'rsa' })), null)
  const other = await identityOf(app, signHs256(secret, claims({ iss: hsIssuer, roles: ['root', 'x'] })))
  assert.deepEqual(other.scopes, ['chat', 'admin'])
})

test('K07: the same subject of two issuers is two identities', async t => {
  const { app } = await buildWithKeys(t)
  const one = await identityOf(app, signJwt(ed, claims()))
  const two = await identityOf(app, signHs256(secret, claims({ iss: hsIssuer })))
  assert.equal(one.subject, two.subject)
  assert.notEqual(one.issuer, two.issuer)
})

test('a token holds to the last millisecond and no longer, and tolerance is for clocks that are ahead', async t => {
  const { app } = await buildWithKeys(t)
  const nowMs = 1_900_000_000_000
  t.mock.timers.enable({ apis: ['Date'], now: nowMs })
  const issued = app.tokens.issue({ ...own, expiresAtMs: nowMs + 60_900 })
  const signed = signJwt(ed, claims({ exp: nowMs / 1000 + 60 }))
  const bySecret = signHs256(secret, claims({ iss: hsIssuer, exp: nowMs / 1000 + 60 }))
  const early = signJwt(ed, claims({ exp: nowMs / 1000 + 600, iat: nowMs / 1000 + 31, nbf: nowMs / 1000 + 31 }))
  assert.equal(await app.tokens.verify(early), null)
  t.mock.timers.tick(1000)
  assert.ok(await app.tokens.verify(early))
  t.mock.timers.tick(58_999)
  for (const token of [issued, signed, bySecret]) assert.ok(await app.tokens.verify(token))
  t.mock.timers.tick(1)
  for (const token of [issued, signed, bySecret]) assert.equal(await app.tokens.verify(token), null)
})

test('K09: while the keys cannot be had the answer is 503, and only for who would need them', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const { app, server } = await buildWithKeys(t)
  const standing = () => app.tokens.keySets.get('keys')?.standing
  assert.deepEqual([...app.tokens.keySets.keys()], ['keys'], 'an issuer with a secret has none')
  assert.equal(standing(), null, 'nobody has asked for them')
  server.use((_request, response) => response.writeHead(500).end())
  const token = signJwt(rsa, claims(), { kid: 'rsa' })
  await assert.rejects(app.tokens.verify(token), (error: unknown) => {
    assert.ok(error instanceof WeirError)
    assert.deepEqual([error.kind, error.statusCode, error.retryAfterMs], ['authUnavailable', 503, 2000])
    return true
  })
  assert.deepEqual(standing(), { isUp: false, ageMs: null })
  assert.equal(await app.tokens.verify(signJwt(rsa, claims({ aud: 'x' }), { kid: 'rsa' })), null)
  assert.equal(await app.tokens.verify(signHs256('x', claims())), null)
  assert.ok(await app.tokens.verify(signHs256(secret, claims({ iss: hsIssuer }))))

  server.publish(jwkOf(rsa, 'rsa'))
  t.mock.timers.tick(2000)
  const proof = await identityOf(app, token)
  assert.equal(proof.isTrusted(), true)
  assert.equal(await app.tokens.verify(signJwt(ed, claims(), { kid: 'ed' })), null, 'an unknown kid is 401')

  server.publish(jwkOf(ed, 'ed'))
  t.mock.timers.tick(30_000)
  assert.deepEqual(standing(), { isUp: true, ageMs: 30_000 })
  assert.ok(await app.tokens.verify(signJwt(ed, claims(), { kid: 'ed' })))
  assert.equal(proof.isTrusted(), false, 'its key has been taken back')
  assert.equal(server.fetches, 3)
})

test('our own tokens: what is issued is verified, by every pepper that there is', async t => {
  const { app } = await buildWithKeys(t)
  const expiresAtMs = inMs(60_000)
  const token = app.tokens.issue({ ...own, expiresAtMs })
  const proof = {
    kind: 'token',
    keyId: own.keyId,
    scopes: own.scopes,
    expiresAtMs: Math.floor(expiresAtMs / 1000) * 1000,
  }
  assert.deepEqual(await app.tokens.verify(token), proof)
  const [header, payload] = token.split('.', 2).map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
  assert.deepEqual(header, { alg: 'HS256', typ: 'JWT', kid: '1' })
  const named = new Set(['iss', 'aud', 'sub', 'key', 'scope', 'iat', 'exp', 'jti'])
  assert.deepEqual(new Set(Object.keys(payload)), named)
  assert.deepEqual([payload.iss, payload.aud, payload.sub], ['weir', 'weir', own.accountId])

  const later = await build(t, 'http://127.0.0.1:9/', { peppers: [pepper, 'the next pepper, which is long enough'] })
  assert.deepEqual(await later.tokens.verify(token), proof)
  assert.match(
    Buffer.from(later.tokens.issue({ ...own, expiresAtMs }).split('.')[0] ?? '', 'base64url').toString(),
    /"kid":"2"/,
  )
  assert.equal(await app.tokens.verify(later.tokens.issue({ ...own, expiresAtMs })), null)
  const elsewhere = await build(t, 'http://127.0.0.1:9/', {
    peppers: ['the pepper of another installation, long enough'],
  })
  assert.equal(await elsewhere.tokens.verify(token), null)
})

test('the application itself carries nothing of the library', async t => {
  const { app } = await buildWithKeys(t)
  assert.equal(app.hasDecorator('jwt'), false)
  assert.equal(app.hasRequestDecorator('user'), false)
})
