import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, authorOf, nameOfActor } from '../../src/admin/actor.ts'
import type { CredentialKind, Principal } from '../../src/domain/principal.ts'

const account = '01890000-0000-7000-8000-000000000000'
const keyId = 'k'.repeat(16)

function actor(credential: CredentialKind, changes: Partial<Principal> = {}): Actor {
  const principal: Principal = {
    accountId: account,
    accountName: 'acme',
    credential,
    keyId: credential === 'key' || credential === 'token' ? keyId : null,
    identity: credential === 'jwt' ? { issuer: 'https://id.example', subject: 'ada' } : null,
    tier: 'free',
    scopes: new Set(['admin', 'chat']),
    models: ['a-*'],
    semanticCache: false,
    limits: { accountId: account, keyId: null, tier: 'free', limits: [], fingerprint: '' },
    expiresAtMs: null,
    ...changes,
  }
  return { kind: 'principal', principal, requestId: 'req_1' }
}

test('the audit log names whoever asked by what they proved', () => {
  const about = { account, requestId: 'req_1' }
  assert.deepEqual(authorOf(actor('admin-key')), { kind: 'admin-key', id: null, ...about })
  assert.deepEqual(authorOf(actor('key')), { kind: 'key', id: keyId, ...about })
  // A token of ours is as good as its key.
  assert.deepEqual(authorOf(actor('token')), authorOf(actor('key')))
  assert.deepEqual(authorOf(actor('jwt')), { kind: 'jwt', id: 'https://id.example ada', ...about })
  assert.deepEqual(authorOf({ kind: 'command' }), { kind: 'command', id: null, account: null, requestId: null })
  const names = [actor('admin-key'), actor('key'), actor('jwt'), { kind: 'command' } as const].map(nameOfActor)
  assert.deepEqual(names, ['admin-key', `key:${keyId}`, 'jwt:https://id.example ada', 'command'])
})
