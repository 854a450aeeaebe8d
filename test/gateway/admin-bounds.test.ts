import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildOperations } from '../../src/admin/operations.ts'
import type { CredentialKind, Principal } from '../../src/domain/principal.ts'
import { adminOf, assertRefused } from '../support/admin.ts'
import { buildWorld } from '../support/grant-world.ts'

const end = '2998-06-01T00:00:00.000Z'

test('K04 limits, privileges and time are given as scopes are: by those who have them', async t => {
  const { gateway, commands, root } = await buildWorld(t)
  const grant = { scopes: ['admin' as const, 'chat' as const], models: ['small-1'] }
  const narrow = { ...grant, limits: { requests_per_minute: 5 }, expires_at: end }
  const caller = await commands.createKey({ account: 'small with limits', ...narrow })
  const as = adminOf(gateway, caller.key)
  const limit = 'limits.requests_per_minute'

  // A key in a greater account is not narrow by its own limits alone.
  assertRefused(await as.ask('POST', '/keys', { account: 'all', ...narrow }), 403, 'account', /max_tokens than 100\./)
  for (const [changes, param] of [
    [{ limits: {} }, limit],
    [{ limits: { requests_per_minute: 6 } }, limit],
    [{ expires_at: '2998-06-01T00:00:01Z' }, 'expires_at'],
    [{ expires_at: undefined }, 'expires_at'],
  ] as const) {
    assertRefused(await as.ask('POST', '/keys', { account: 'small', ...narrow, ...changes }), 403, param)
  }
  const second = await as.get<{ id: string }>('POST', '/keys', { account: 'small', ...narrow })

  // Nobody takes away what holds for themselves.
  for (const id of [caller.id, second.id]) {
    assertRefused(await as.ask('PATCH', `/keys/${id}`, { limits: null }), 403, limit)
    assertRefused(await as.ask('PATCH', `/keys/${id}`, { expires_at: null }), 403, 'expires_at')
  }
  await as.get('PATCH', '/accounts/small%20with%20limits', { limits: { requests_per_minute: 6 } })
  for (const limits of [null, { requests_per_minute: 7 }, { requests_per_minute: null }]) {
    assertRefused(await as.ask('PATCH', '/accounts/small%20with%20limits', { limits }), 403, limit)
  }

  // What was there may stay, but gets no new secret, no more time, and no more to hold for.
  const wide = await commands.createKey({ account: 'small', scopes: ['chat'], models: ['small-1'], expires_at: end })
  await as.get('PATCH', `/keys/${wide.id}`, { name: 'renamed', limits: { requests_per_minute: 9 } })
  assertRefused(await as.ask('PATCH', `/keys/${wide.id}`, { scopes: ['admin', 'chat'] }), 403, limit)
  assertRefused(await as.ask('POST', `/keys/${wide.id}/rotate`), 403, limit)
  await as.get('POST', `/keys/${second.id}/rotate`)

  // What a rotation ends stays ended, whoever asks.
  for (const expires_at of [null, end]) {
    assertRefused(await root.ask('PATCH', `/keys/${second.id}`, { expires_at }), 409, 'expires_at', /replaced/)
  }
  await root.get('PATCH', `/keys/${second.id}`, { expires_at: new Date(Date.now() + 60_000).toISOString() })
})

test('a token has the bounds of its key, that of an issuer those of its account', async t => {
  const { gateway, commands } = await buildWorld(t)
  const { sql, peppers, announceChange, configuration } = gateway.app
  const operations = buildOperations({ sql, peppers, announceChange, tiers: () => configuration.current.tiers })
  const account = await commands.getAccount({ account: 'small with limits' })
  const key = await commands.createKey({ account: account.id, scopes: ['admin', 'chat'], expires_at: end })
  const actorOf = (credential: CredentialKind) => {
    const principal: Principal = {
      accountId: account.id,
      accountName: account.name,
      credential,
      keyId: credential === 'token' ? key.id : null,
      identity: credential === 'jwt' ? { issuer: 'https://id.example', subject: 'ada' } : null,
      tier: 'small',
      scopes: new Set(['admin', 'chat']),
      models: ['small-*'],
      semanticCache: false,
      limits: { accountId: account.id, keyId: null, tier: 'small', limits: [], fingerprint: '' },
      expiresAtMs: Date.now() + 60_000,
    }
    return { kind: 'principal', principal, requestId: 'req_1' } as const
  }
  const make = (credential: CredentialKind, fields: object) => {
    const body = { account: account.id, scopes: ['chat' as const], ...fields }
    return operations.createKey(actorOf(credential), { body, idempotencyKey: null })
  }
  assert.equal((await make('token', { expires_at: end })).kind, 'made')
  await assert.rejects(make('token', {}), { kind: 'insufficientPermissions', param: 'expires_at' })
  assert.equal((await make('jwt', {})).kind, 'made')
  assert.equal((await make('admin-key', { scopes: ['admin'] })).kind, 'made')
  await commands.updateAccount({ account: account.id, changes: { limits: { requests_per_minute: 3 } } })
  const changes = { limits: { requests_per_minute: 4 } }
  for (const credential of ['token', 'jwt'] as const) {
    const change = operations.updateAccount(actorOf(credential), { account: account.id, changes })
    await assert.rejects(change, { kind: 'insufficientPermissions', param: 'limits.requests_per_minute' })
  }
})
