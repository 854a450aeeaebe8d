import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { makeKey } from '../support/keys.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { connectRaw } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const id = '0'.repeat(16)
const paths = [
  '/admin',
  '/admin/',
  '/admin/accounts',
  '/admin/accounts/default',
  '/admin/keys',
  `/admin/keys/${id}`,
  `/admin/keys/${id}/rotate`,
  '/admin/tiers',
  '/admin/tiers/free',
  '/admin/audit',
  '/admin/usage',
  '/admin/usage/events',
]
/** Ways to write a path that something on the way could take for it. */
const disguises = [
  '/%61dmin/accounts',
  '/admin%2Faccounts',
  '/admin/%61ccounts',
  '/ADMIN/accounts',
  '//admin/accounts',
  '/./admin/accounts',
  '/v1/../admin/accounts',
  '/v1/%2e%2e/admin/accounts',
  '/admin;x=1/accounts',
  '/admin/accounts/',
  '/admin/accounts?x=1',
  '/admin\\accounts',
  '/admin/accounts/..%2faccounts',
  '/v1/admin/accounts',
]

test('K03 with an internal port the public listener knows nothing of the admin API', async t => {
  const gateway = await buildGateway(t, { env: { ...noBackend, INTERNAL_PORT: '0' } })
  const ask = async (path: string, method: string, headers: Record<string, string> = {}) => {
    const client = await connectRaw(t, gateway.url)
    client.request(method, path, { headers: { authorization: `Bearer ${adminKey}`, Host: 'internal', ...headers } })
    return client.response()
  }
  const nothing = await ask('/nothing', 'GET')
  assert.equal(nothing.status, 404)
  for (const path of [...paths, ...disguises]) {
    for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
      const answer = await ask(path, method)
      assert.equal(answer.status, 404, `${method} ${path}`)
      assert.equal(answer.header('allow'), undefined, `${method} ${path}`)
      // Not a word more than about a path that nobody has ever heard of.
      if (method === 'GET') assert.equal(answer.text, nothing.text, path)
    }
  }
  // Nor does a client get further by saying where it comes from.
  const forwarded = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'internal', 'x-original-url': '/admin/tiers' }
  assert.equal((await ask('/admin/tiers', 'GET', forwarded)).status, 404)
  // An address in the target is refused wherever it leads.
  for (const path of ['/admin/tiers', '/nothing'])
    assert.equal((await ask(`${gateway.internalUrl}${path}`, 'GET')).status, 400)

  const admin = adminOf(gateway)
  assert.equal((await admin.ask('GET', '/accounts')).status, 200)
  assert.equal((await admin.ask('POST', '/accounts', { name: 'acme' })).status, 201)
})

test('without an internal port the admin API is on the one there is, for the scope admin', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const plain = adminOf(gateway, await makeKey(gateway.app, { account: 'plain' }))
  const narrow = adminOf(gateway, await makeKey(gateway.app, { account: 'plain', scopes: ['admin'] }))
  const requests: [string, string, object?][] = [
    ['GET', '/accounts'],
    ['POST', '/accounts', { name: 'x' }],
    ['PATCH', '/accounts/plain', { tier: 'enterprise' }],
    ['DELETE', '/accounts/plain'],
    ['GET', '/keys'],
    ['POST', '/keys', { account: 'plain' }],
    ['POST', `/keys/${id}/rotate`],
    ['GET', '/tiers'],
    ['GET', '/audit'],
    ['GET', '/usage'],
    ['GET', '/usage/events'],
  ]
  for (const [method, path, body] of requests) {
    assertRefused(await plain.ask(method, path, body), 403, null, /"admin"/)
    assertRefused(await adminOf(gateway, 'wrong').ask(method, path, body), 401, null)
  }
  for (const path of ['/accounts', '/keys', '/tiers', '/audit', '/usage', '/usage/events'])
    assert.equal((await narrow.ask('GET', path)).status, 200)
})

test('while the database is away administration is, but for what needs none; it comes back by itself', async t => {
  const server = await startPostgres(t)
  const gateway = await buildGateway(t, { env: { ...noBackend, DATABASE_URL: server.url } })
  const admin = adminOf(gateway)
  await admin.get('POST', '/accounts', { name: 'acme' })
  await server.kill()
  const requests: [string, string, object?][] = [
    ['GET', '/accounts/acme'],
    ['POST', '/accounts', { name: 'x' }],
    ['POST', '/keys', { account: 'acme' }],
    ['GET', '/audit'],
    ['GET', '/usage'],
    ['GET', '/usage/events'],
  ]
  for (const [method, path, body] of requests) {
    const answer = await admin.ask(method, path, body)
    assertRefused(answer, 503, null, /database/)
    assert.equal(answer.error?.code, 'database_unavailable')
    assert.equal(answer.headers.get('retry-after'), '2')
  }
  assert.equal((await admin.ask('GET', '/tiers')).status, 200)
  const headers = { authorization: `Bearer ${adminKey}` }
  const own = await gateway.fetch(`${gateway.url}/v1/usage`, { headers })
  assert.deepEqual([own.status, own.headers.get('retry-after')], [503, '2'])
  assert.match(await own.text(), /database_unavailable/)
  await server.start()
  await until('the database is back', () => gateway.app.database.state === 'ready')
  assert.equal((await admin.ask('GET', '/accounts/acme')).status, 200)
})
