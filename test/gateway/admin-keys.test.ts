import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AdminClient, adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { buildGateway, type Gateway } from '../support/gateway.ts'

interface Key {
  readonly id: string
  readonly key: string
  readonly account: { readonly id: string; readonly name: string }
  readonly status: string
  readonly created_at: string
  readonly updated_at: string
  readonly expires_at: string | null
  readonly [field: string]: unknown
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

async function build(t: Parameters<typeof buildGateway>[0]) {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  await admin.get('POST', '/accounts', { name: 'acme', tier: 'premium' })
  return { gateway, admin }
}

const createKey = (admin: AdminClient, body: object = {}) =>
  admin.get<Key>('POST', '/keys', { account: 'acme', ...body })

/** What the gateway says to a request with this key. */
async function statusWith({ fetch, url }: Gateway, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
  await response.arrayBuffer()
  return response.status
}

test('a key is made, works, is changed and revoked; its secret is in one answer', async t => {
  const { gateway, admin } = await build(t)
  const made = await admin.ask('POST', '/keys', { account: 'acme' })
  assert.equal(made.status, 201)
  assert.equal(made.headers.get('cache-control'), 'no-store')
  const { key, ...stored } = made.body as unknown as Key
  const { id, account, created_at, updated_at, ...rest } = stored
  assert.equal(account.name, 'acme')
  assert.equal(key.slice(8, 24), id)
  assert.equal(created_at, updated_at)
  const nothing = { expires_at: null, revoked_at: null, last_used_at: null, replaces: null, replaced_by: null }
  const fields = {
    object: 'api_key',
    tier: 'premium',
    name: 'key',
    scopes: null,
    models: null,
    limits: {},
    semantic_cache: false,
    metadata: {},
  }
  assert.deepEqual(rest, { ...fields, status: 'active', ...nothing })
  assert.deepEqual(await admin.get('GET', `/keys/${id}`), stored)
  assert.equal(await statusWith(gateway, key), 200)

  const changes = {
    name: 'ci',
    scopes: ['models'],
    models: ['a-*', 'b'],
    limits: { requests_per_minute: 0, spend_per_month: '9000000' },
    semantic_cache: true,
    metadata: { team: 'x' },
    expires_at: inAnHour(),
  }
  const changed = await admin.get<Key>('PATCH', `/keys/${id}`, changes)
  assert.deepEqual(changed, { ...stored, ...changes, updated_at: changed.updated_at })
  assert.deepEqual(await admin.get('PATCH', `/keys/${id}`, changes), changed)
  const wide = { scopes: null, models: null, limits: null, expires_at: null }
  const widened = await admin.get<Key>('PATCH', `/keys/${id}`, wide)
  assert.deepEqual(widened, { ...changed, ...wide, limits: {}, updated_at: widened.updated_at })

  const revoked = await admin.get<Key>('DELETE', `/keys/${id}`)
  assert.deepEqual([revoked.status, revoked['revoked_at']], ['revoked', revoked.updated_at])
  assert.deepEqual(await admin.get('DELETE', `/keys/${id}`), revoked)
  assert.equal(await statusWith(gateway, key), 401)
  assertRefused(await admin.ask('PATCH', `/keys/${id}`, { name: 'x' }), 409)
  assertRefused(await admin.ask('POST', `/keys/${id}/rotate`), 409)

  const everything = await admin.get('GET', '/audit?limit=100')
  const rows = await gateway.app
    .sql`select row_to_json(k)::text from api_keys k union all select row_to_json(l)::text from audit_log l`
  assert.equal(JSON.stringify([everything, rows, gateway.logLines]).includes(key.slice(25)), false)
})

test('a rotated key works beside the new one for the grace period', async t => {
  const { gateway, admin } = await build(t)
  const allowed = { scopes: ['models', 'chat'], models: ['a'], limits: { tokens_per_day: 5 }, semantic_cache: true }
  const given = { name: 'ci', ...allowed, metadata: { a: 'b' } }
  const expires_at = inAnHour()
  const old = await createKey(admin, { ...given, expires_at })
  const answer = await admin.ask('POST', `/keys/${old.id}/rotate`, { grace_seconds: 60 })
  assert.equal(answer.status, 201)
  const fresh = answer.body as unknown as Key
  const { name, scopes, models, limits, semantic_cache, metadata } = fresh
  assert.deepEqual({ name, scopes, models, limits, semantic_cache, metadata }, given)
  assert.deepEqual([fresh.account, fresh.expires_at, fresh['replaces']], [old.account, expires_at, old.id])
  const ended = await admin.get<Key>('GET', `/keys/${old.id}`)
  assert.equal(Date.parse(ended.expires_at ?? ''), Date.parse(fresh.created_at) + 60_000)
  assert.deepEqual([ended['replaced_by'], ended.status], [fresh.id, 'active'])
  assert.deepEqual([await statusWith(gateway, old.key), await statusWith(gateway, fresh.key)], [200, 200])
  assertRefused(await admin.ask('POST', `/keys/${old.id}/rotate`), 409, null, new RegExp(fresh.id))

  // The old one's own end is not put off.
  const next = await admin.get<Key>('POST', `/keys/${fresh.id}/rotate`)
  assert.equal((await admin.get<Key>('GET', `/keys/${fresh.id}`)).expires_at, expires_at)
  const last = await admin.get<Key>('POST', `/keys/${next.id}/rotate`, { grace_seconds: 0, name: 'now' })
  assert.equal(last['name'], 'now')
  assert.deepEqual([await statusWith(gateway, next.key), await statusWith(gateway, last.key)], [401, 200])
  assertRefused(await admin.ask('POST', `/keys/${next.id}/rotate`), 409, null, /expired/)
  const endless = await createKey(admin)
  await admin.get('POST', `/keys/${endless.id}/rotate`)
  const dayAfter = (await admin.get<Key>('GET', `/keys/${endless.id}`)).expires_at ?? ''
  assert.ok(Math.abs(Date.parse(dayAfter) - Date.now() - 86_400_000) < 60_000)
})

test('what cannot be is refused, and says where', async t => {
  const { admin } = await build(t)
  const { id } = await createKey(admin)
  const creations: [object, number, string][] = [
    [{ account: undefined }, 400, 'account'],
    [{ account: 'nobody' }, 404, 'account'],
    [{ scopes: [] }, 400, 'scopes'],
    [{ scopes: ['root'] }, 400, 'scopes[0]'],
    [{ scopes: ['chat', 'chat'] }, 400, 'scopes'],
    [{ scopes: 'chat' }, 400, 'scopes'],
    [{ models: [] }, 400, 'models'],
    [{ models: [''] }, 400, 'models[0]'],
    [{ models: ['a', 'a'] }, 400, 'models'],
    [{ models: ['a\u0000'] }, 400, 'models[0]'],
    [{ limits: { requests_per_minute: null } }, 400, 'limits.requests_per_minute'],
    [{ limits: { burst: 5 } }, 400, 'limits.burst'],
    [{ expires_at: '2001-01-01T00:00:00Z' }, 400, 'expires_at'],
    [{ expires_at: '2030-02-30T00:00:00Z' }, 400, 'expires_at'],
    [{ expires_at: '2030-13-01T00:00:00Z' }, 400, 'expires_at'],
    [{ expires_at: '2030-01-01' }, 400, 'expires_at'],
    [{ expires_at: '0000-01-01T00:00:00Z' }, 400, 'expires_at'],
    [{ name: '' }, 400, 'name'],
    [{ metadata: null }, 400, 'metadata'],
  ]
  for (const [body, status, param] of creations) {
    assertRefused(await admin.ask('POST', '/keys', { account: 'acme', ...body }), status, param)
  }
  for (const grace_seconds of [-1, 0.5, 2_592_001, '60']) {
    assertRefused(await admin.ask('POST', `/keys/${id}/rotate`, { grace_seconds }), 400, 'grace_seconds')
  }
  for (const other of ['0'.repeat(16), 'x', `sk-weir-${id}`, "'or'1", 'a%00b', 'x'.repeat(300)]) {
    const answers = [
      await admin.ask('GET', `/keys/${other}`),
      await admin.ask('PATCH', `/keys/${other}`, {}),
      await admin.ask('DELETE', `/keys/${other}`),
      await admin.ask('POST', `/keys/${other}/rotate`),
    ]
    for (const answer of answers) assertRefused(answer, 404, null)
  }
  await admin.get('PATCH', '/accounts/acme', { status: 'suspended' })
  assertRefused(await admin.ask('POST', '/keys', { account: 'acme' }), 409, 'account')
  assertRefused(await admin.ask('POST', `/keys/${id}/rotate`), 409, 'account')
})

test('bodies that are none, and of other kinds, are what they are elsewhere', async t => {
  const { gateway, admin } = await build(t)
  const { id } = await createKey(admin)
  const json = { 'content-type': 'application/json' }
  assert.equal((await admin.ask('PATCH', `/keys/${id}`, { name: 'a' }, { 'content-type': 'text/plain' })).status, 415)
  assertRefused(await admin.ask('PATCH', `/keys/${id}`), 400, null, /empty/)
  assertRefused(await admin.ask('POST', '/keys', undefined, json), 400, null, /empty/)
  assertRefused(await admin.ask('PATCH', `/keys/${id}`, [1]), 400, null)
  const large = await admin.ask('PATCH', `/keys/${id}`, { name: 'x'.repeat(9 * 1024 * 1024) })
  assert.equal(large.status, 413)
  // Some clients name the kind of a body that they do not send.
  assert.equal((await admin.ask('DELETE', `/keys/${id}`, undefined, json)).status, 200)
  assert.equal((await admin.ask('DELETE', `/keys/${id}`, { any: 'thing' })).status, 200)
  const put = await gateway.fetch(`${gateway.url}/admin/keys`, { method: 'PUT' })
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, POST'])
  await put.arrayBuffer()
})

test('a request with an Idempotency-Key makes one key, however often it comes', async t => {
  const { gateway, admin } = await build(t)
  const once = { 'idempotency-key': 'the same ~ !' }
  const body = { account: 'acme', name: 'ci', metadata: { a: '1', b: '2' } }
  const answers = await Promise.all(Array.from({ length: 50 }, () => admin.ask('POST', '/keys', body, once)))
  const made = answers.filter(({ status }) => status === 201)
  assert.equal(made.length, 1)
  const [first] = made
  assert.ok(first)
  const { key, ...record } = first.body as unknown as Key
  assert.equal(first.headers.get('idempotent-replayed'), null)
  for (const { status, body, headers } of answers) {
    if (status === 201) continue
    assert.deepEqual([status, headers.get('idempotent-replayed')], [200, 'true'])
    assert.deepEqual(body, record)
  }
  const { data } = await admin.get<{ data: Key[] }>('GET', '/keys')
  assert.deepEqual(
    data.map(({ id }) => id),
    [record.id],
  )
  const log = await admin.get<{ data: unknown[] }>('GET', `/audit?target_id=${record.id}`)
  assert.equal(log.data.length, 1)

  // Fields in another order are the same request; anything else is not.
  const turned = { metadata: { b: '2', a: '1' }, name: 'ci', account: 'acme' }
  assert.equal((await admin.ask('POST', '/keys', turned, once)).status, 200)
  const other = await admin.ask('POST', '/keys', { ...body, name: 'other' }, once)
  assertRefused(other, 409, 'idempotency-key')
  assert.equal(other.headers.get('x-should-retry'), 'false')
  assertRefused(await admin.ask('POST', `/keys/${record.id}/rotate`, {}, once), 409, 'idempotency-key')
  // It is the record as it is by now, also where the request could not be done any more.
  await admin.get('PATCH', `/keys/${record.id}`, { name: 'renamed' })
  await admin.get('PATCH', '/accounts/acme', { status: 'suspended' })
  const replayed = await admin.ask('POST', '/keys', body, once)
  assert.deepEqual([replayed.status, replayed.body['name'], replayed.body['key']], [200, 'renamed', undefined])
  // Each caller has its own.
  await admin.get('PATCH', '/accounts/acme', { status: 'active' })
  const second = await admin.get<Key>('POST', '/keys', { account: 'default', scopes: ['admin', 'chat', 'models'] })
  const another = adminOf(gateway, second.key)
  assert.equal((await another.ask('POST', '/keys', { account: 'acme', scopes: ['chat'] }, once)).status, 201)
  assert.equal(typeof key, 'string')
})

test('accounts and rotations with an Idempotency-Key are made once as well', async t => {
  const { admin } = await build(t)
  const once = { 'idempotency-key': 'k' }
  const statusesOf = async (path: string, body: object) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => admin.ask('POST', path, body, once)))
    return answers.map(({ status }) => status).toSorted((a, b) => b - a)
  }
  const expected = [201, ...Array<number>(19).fill(200)]
  assert.deepEqual(await statusesOf('/accounts', { name: 'other', limits: { requests_per_minute: 5 } }), expected)
  const { id } = await createKey(admin)
  assert.deepEqual(await statusesOf(`/keys/${id}/rotate`, {}), expected)
  const { data } = await admin.get<{ data: { action: string }[] }>('GET', `/audit?target_id=${id}`)
  assert.deepEqual(
    data.map(({ action }) => action),
    ['key.rotate', 'key.create'],
  )
  for (const wrong of ['', 'x'.repeat(256), 'ü']) {
    const answer = await admin.ask('POST', '/accounts', { name: 'n' }, { 'idempotency-key': wrong })
    assertRefused(answer, 400, 'idempotency-key')
  }
})
