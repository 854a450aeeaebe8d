import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import { deriveTokenSecret, readOwnClaims, writeOwnClaims } from '../../src/domain/own-token.ts'

const nowMs = 1_900_000_000_000
const accountId = '00000000-0000-7000-8000-000000000000'
const given = { keyId: '1aaaaaaaaaaaaaaa', accountId, scopes: ['chat', 'models'], expiresAtMs: nowMs + 60_500 } as const

test('what is written is read again, and it ends with the second', () => {
  assert.deepEqual(readOwnClaims(writeOwnClaims(given, 'id'), nowMs), { ...given, expiresAtMs: nowMs + 60_000 })
  assert.deepEqual(readOwnClaims(writeOwnClaims({ ...given, scopes: [] }, 'id'), nowMs)?.scopes, [])
})

test('what we never write is refused', () => {
  const claims = writeOwnClaims(given, 'id')
  for (const name of ['iss', 'aud', 'sub', 'key', 'scope', 'exp']) {
    for (const value of [undefined, null, 1, ['x'], {}]) {
      assert.equal(readOwnClaims({ ...claims, [name]: value }, nowMs), null, `${name} ${JSON.stringify(value)}`)
    }
  }
  assert.equal(readOwnClaims(claims, nowMs + 60_000), null)
  assert.equal(readOwnClaims({ ...claims, iat: nowMs / 1000 + 31 }, nowMs), null)
  assert.deepEqual(readOwnClaims({ ...claims, scope: 'chat everything' }, nowMs)?.scopes, ['chat'])
})

test('the secret is pinned: tokens outlive a change of version', () => {
  const secret = deriveTokenSecret(createSecretKey('x'.repeat(32), 'utf8'))
  assert.equal(secret.length, 32)
  assert.equal(Buffer.from(secret).toString('hex'), 'f6c32391cfbd3fcafac382e01f3181600f26f2d587f47e7111da1a32e7d30241')
})
