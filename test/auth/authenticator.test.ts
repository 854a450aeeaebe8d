import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Authenticator } from '../../src/auth/authenticator.ts'
import { Callers } from '../../src/auth/callers.ts'
import type { IdentityProof } from '../../src/domain/proof.ts'
import { peppersOf } from '../support/peppers.ts'

const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl'

test('a verified token is not verified again, unless the key that signed it may have been taken back', async () => {
  let [verified, isTrusted] = [0, true]
  const proof = (): IdentityProof => ({
    kind: 'identity',
    issuer: 'https://i/',
    subject: 's',
    tier: null,
    scopes: ['chat'],
    expiresAtMs: Date.now() + 3_600_000,
    isTrusted: () => isTrusted,
  })
  const tiers = { free: { scopes: ['chat'], models: ['*'], limits: {}, quotas: {}, spendLimits: {} } } as const
  const callers = new Callers({
    ttlMs: 30_000,
    tiers: () => tiers,
    findKey: async () => null,
    findIdentity: async () => ({
      accountId: 'a',
      accountName: 'acme',
      accountStatus: 'active',
      tier: 'free',
      accountLimits: {},
    }),
  })
  const authenticator = new Authenticator({
    callers,
    peppers: peppersOf('a pepper that is long enough for tests'),
    adminKey: undefined,
    verifyToken: async () => {
      verified += 1
      return isTrusted ? proof() : null
    },
  })
  const first = await authenticator.identify(jwt, 'req_1')
  assert.equal(first?.accountName, 'acme')
  // At once, and the same.
  for (let turn = 0; turn < 10; turn += 1) assert.equal(authenticator.identify(jwt, 'req_2'), first)
  assert.equal(verified, 1)
  assert.ok(await authenticator.identify(`${jwt}x`, 'req_3'))
  assert.equal(verified, 2)
  isTrusted = false
  assert.equal(await authenticator.identify(jwt, 'req_4'), null)
  assert.equal(verified, 3)
})
