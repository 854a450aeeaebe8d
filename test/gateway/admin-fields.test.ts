import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused } from '../support/admin.ts'
import { buildWorld } from '../support/grant-world.ts'

test('K04 a field that a body does not have is refused, whoever sends it', async t => {
  const { gateway, commands, root } = await buildWorld(t)
  const key = await commands.createKey({ account: 'small' })
  const account = await root.get('GET', '/accounts/small')
  const both = [
    'id',
    'object',
    'created_at',
    'updated_at',
    'created_by',
    'request_id',
    'version',
    'permissions',
    'role',
  ]
  const ofKeys = [
    'account_id',
    'tier',
    'key',
    'digest',
    'public_id',
    'revoked_at',
    'last_used_at',
    'replaces',
    'status',
  ]
  const ofAccounts = ['deleted_at', 'scopes', 'models', 'keys', 'parent', 'account']
  const values = ['enterprise', '*', null, true, 1, ['admin'], { admin: true }]
  const targets: [string, string, object, string[]][] = [
    ['POST', '/keys', { account: 'small' }, ofKeys],
    ['PATCH', `/keys/${key.id}`, {}, [...ofKeys, 'account']],
    ['POST', `/keys/${key.id}/rotate`, {}, [...ofKeys, 'account', 'scopes', 'models', 'limits', 'expires_at']],
    ['POST', '/accounts', { name: 'new' }, ofAccounts],
    ['PATCH', '/accounts/small', {}, ofAccounts],
  ]
  const before = await gateway.app.sql`select count(*)::int as n from audit_log`
  for (const [method, path, body, fields] of targets) {
    for (const field of [...both, ...fields]) {
      for (const value of values) {
        assertRefused(await root.ask(method, path, { ...body, [field]: value }), 400, field, /is not a known field/)
      }
    }
    for (const field of ['__proto__', 'constructor']) {
      const text = JSON.stringify({ ...body, x: 1 }).replace('"x":1', `"${field}":{"tier":"enterprise"}`)
      const headers = { authorization: 'Bearer x', 'content-type': 'application/json' }
      const refused = await gateway.fetch(`${gateway.url}/admin${path}`, { method, body: text, headers })
      await refused.arrayBuffer()
      assert.equal(refused.status, 401)
      const answer = await root.ask(method, path, JSON.parse(text))
      assert.equal(answer.status, 400, `${method} ${path} ${field}`)
    }
  }
  assert.deepEqual(await root.get('GET', '/accounts/small'), account)
  const { key: _, ...stored } = key
  assert.deepEqual(await root.get('GET', `/keys/${key.id}`), stored)
  assert.deepEqual([...(await gateway.app.sql`select count(*)::int as n from audit_log`)], [...before])
})

test('K04 what a narrow administrator may do: take away, and give what it has', async t => {
  const { gateway, commands } = await buildWorld(t)
  const caller = await commands.createKey({ account: 'small', scopes: ['admin', 'chat'], models: ['small-1'] })
  const as = adminOf(gateway, caller.key)
  const rich = await commands.createKey({ account: 'all', scopes: ['chat', 'embeddings'] })
  const message = (what: string) => new RegExp(`^Nobody can grant what they lack: you do not have ${what}\\.$`)

  const refusals: [string, string, object, string, string][] = [
    ['POST', '/keys', { account: 'small' }, 'scopes', 'the scope "models"'],
    ['POST', '/keys', { account: 'small', scopes: ['chat'] }, 'models', 'the models "small-\\*"'],
    ['POST', '/keys', { account: 'all', scopes: ['usage'], models: ['small-1'] }, 'scopes', 'the scope "usage"'],
    ['PATCH', `/keys/${rich.id}`, { scopes: ['models'] }, 'scopes', 'the scope "models"'],
    ['PATCH', `/keys/${rich.id}`, { scopes: null }, 'scopes', 'the scope "completions"'],
    ['POST', `/keys/${rich.id}/rotate`, {}, 'scopes', 'the scope "embeddings"'],
    ['POST', '/accounts', { name: 'mine', tier: 'all' }, 'tier', 'the scope "completions"'],
    ['PATCH', '/accounts/small', { tier: 'large' }, 'tier', 'the scope "completions"'],
    [
      'PATCH',
      '/accounts/small',
      { limits: { requests_per_minute: 11 } },
      'limits.requests_per_minute',
      'more requests_per_minute than 10',
    ],
  ]
  for (const [method, path, body, param, what] of refusals) {
    assertRefused(await as.ask(method, path, body), 403, param, message(what))
  }
  assert.equal((await as.ask('POST', '/keys', { account: 'small', scopes: ['chat'], models: ['small-1'] })).status, 201)
  const second = { account: 'small', scopes: ['admin'], models: ['small-1'] }
  assert.equal((await as.ask('POST', '/keys', second)).status, 201)
  assert.equal((await as.ask('PATCH', `/keys/${rich.id}`, { scopes: ['chat'], models: ['big-*'] })).status, 200)
  assert.equal((await as.ask('PATCH', '/accounts/all', { limits: { requests_per_minute: 10 } })).status, 200)
  // Less than before, though still more than it has itself.
  assert.equal((await as.ask('PATCH', '/accounts/large', { limits: { requests_per_minute: 1000 } })).status, 200)
  assertRefused(await as.ask('PATCH', '/accounts/large', { limits: { requests_per_minute: 1001 } }), 403)
  assert.equal((await as.ask('DELETE', `/keys/${rich.id}`)).status, 200)
  assert.equal((await as.ask('PATCH', '/accounts/all', { status: 'suspended' })).status, 200)
  assertRefused(await as.ask('PATCH', '/accounts/all', { status: 'active' }), 403)
  assert.equal((await as.ask('DELETE', '/accounts/all')).status, 200)
})
