import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClaimRules, readClaims } from '../../src/domain/jwt-claims.ts'
import type { Json } from '../support/jwt-maker.ts'

const nowMs = 1_900_000_000_000
const now = nowMs / 1000
const rules: ClaimRules = {
  issuer: 'https://issuer.example/',
  audience: ['weir', 'https://weir.example'],
  claims: { account: 'sub' },
  tiers: {},
  scopes: ['chat', 'embeddings', 'models'],
  scopeNames: {},
  clockToleranceMs: 30_000,
  tierNames: ['free', 'premium', 'constructor'],
}
const claims = { iss: rules.issuer, aud: 'weir', exp: now + 60, sub: 'alice' }

const read = (changed: Json, others: Partial<ClaimRules> = {}) =>
  readClaims({ ...claims, ...changed }, { ...rules, ...others }, nowMs)
const isRead = (changed: Json) => read(changed) !== null

test('what a token says: whom it speaks for, until when, and what the configuration adds', () => {
  assert.deepEqual(read({}), {
    subject: 'alice',
    tier: null,
    scopes: ['chat', 'embeddings', 'models'],
    expiresAtMs: nowMs + 60_000,
  })
})

test('K08: issuer and audience are compared letter by letter, and nothing but text counts', () => {
  assert.ok(isRead({ aud: ['other', 'https://weir.example'] }))
  const wrong: Json[] = [
    { iss: 'https://issuer.example' },
    { iss: [rules.issuer] },
    { iss: ['https://evil.example', rules.issuer] },
    { iss: undefined },
    { aud: 'WEIR' },
    { aud: 'weir ' },
    { aud: [] },
    { aud: ['weir', 1] },
    { aud: [['weir']] },
    { aud: { weir: true } },
    { aud: undefined },
  ]
  for (const changed of wrong) assert.equal(read(changed), null, JSON.stringify(changed))
})

test('K08: times at their edges, and what is no time', () => {
  for (const [exp, isValid] of [
    [now + 1, true],
    [now + 0.001, true],
    [now, false],
    [now - 1, false],
    [8.64e12, true],
    [8.65e12, false],
    [1e308, false],
  ] as const) {
    assert.equal(isRead({ exp }), isValid, `exp ${exp}`)
  }
  for (const name of ['nbf', 'iat']) {
    assert.ok(isRead({ [name]: 0 }), name)
    assert.ok(isRead({ [name]: now + 30 }), name)
    assert.equal(isRead({ [name]: now + 30.001 }), false, name)
  }
  for (const name of ['exp', 'nbf', 'iat']) {
    for (const value of [null, String(now), '9', true, [now + 5], {}, Number.NaN, Number.POSITIVE_INFINITY, -1e308]) {
      assert.equal(isRead({ [name]: value }), false, `${name} ${String(value)}`)
    }
  }
  assert.equal(isRead({ exp: undefined }), false)
})

test('K08: the account is text that can be kept and shown', () => {
  for (const sub of ['a', 'ü€😀', 'a'.repeat(256), "'; drop table accounts; --", '../../x', '1']) {
    assert.equal(read({ sub })?.subject, sub)
  }
  for (const sub of [
    '',
    'a'.repeat(257),
    'a\0',
    'a\nb',
    '\u0085',
    '\x7f',
    '\ud800',
    1,
    null,
    true,
    ['a'],
    { a: 1 },
    undefined,
  ]) {
    assert.equal(isRead({ sub }), false, JSON.stringify(sub))
  }
})

test('a claim is found by its whole name first, else by its path, and never in what is inherited', () => {
  const name = 'https://example.com/user.id'
  const named = { claims: { account: name } }
  assert.equal(read({ [name]: 'whole' }, named)?.subject, 'whole')
  const nested = { claims: { account: 'user.profile.id' } }
  assert.equal(read({ user: { profile: { id: 'nested' } } }, nested)?.subject, 'nested')
  assert.equal(read({ 'user.profile.id': 'whole', user: { profile: { id: 'nested' } } }, nested)?.subject, 'whole')
  for (const user of [undefined, null, 'x', [{ id: 'a' }], { profile: 'x' }, { profile: null }]) {
    assert.equal(read({ user }, nested), null, JSON.stringify(user))
  }
  assert.equal(read({}, { claims: { account: 'constructor.name' } }), null)
  assert.equal(read({ list: ['a'] }, { claims: { account: 'list.0' } }), null)
})

test('a tier is one of the configuration, by its name or by the table', () => {
  const byName = { claims: { account: 'sub', tier: 'plan' } }
  assert.equal(read({}, byName)?.tier, null)
  assert.equal(read({ plan: 'premium' }, byName)?.tier, 'premium')
  for (const plan of ['gold', '', 'Premium', 1, null, ['premium'], 'toString']) {
    assert.equal(read({ plan }, byName), null, JSON.stringify(plan))
  }
  const byTable = { ...byName, tiers: { gold: 'premium' } }
  assert.equal(read({ plan: 'gold' }, byTable)?.tier, 'premium')
  for (const plan of ['premium', 'free', 'constructor']) assert.equal(read({ plan }, byTable), null, plan)
  assert.equal(read({ plan: 'gold' })?.tier, null, 'a claim that is not configured says nothing')
})

test('scopes are never more than the issuer may give', () => {
  const byName = { claims: { account: 'sub', scopes: 'scope' } }
  const scopesOf = (scope: unknown, others: Partial<ClaimRules> = byName) => read({ scope }, others)?.scopes
  assert.deepEqual(scopesOf(undefined), [])
  assert.deepEqual(scopesOf('models  chat openid'), ['chat', 'models'])
  assert.deepEqual(scopesOf(['embeddings', 'admin', 'usage']), ['embeddings'])
  assert.deepEqual(scopesOf(''), [])
  assert.deepEqual(scopesOf('chat\tmodels'), [])
  for (const scope of [null, 1, true, { chat: true }, ['chat', 1]]) assert.equal(scopesOf(scope), undefined)
  const mapped = { ...byName, scopeNames: { developer: ['chat', 'admin'], auditor: ['usage', 'models'] } } as const
  assert.deepEqual(scopesOf('developer', mapped), ['chat'])
  assert.deepEqual(scopesOf(['auditor', 'developer'], mapped), ['chat', 'models'])
  assert.deepEqual(scopesOf('chat admin constructor', mapped), [])
  assert.deepEqual(scopesOf('admin', { ...byName, scopes: ['admin'] }), ['admin'])
})
