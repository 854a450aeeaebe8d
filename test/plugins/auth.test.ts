import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import fastify, { type FastifyInstance } from 'fastify'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'
import { insertAccount } from '../../src/store/accounts.ts'
import { withDeadline } from '../../src/store/deadline.ts'
import { revokeKey } from '../../src/store/keys.ts'
import { adminKey, buildAuthApp, buildReadyAuthApp, countLookups, registerAuth, storeKey } from '../support/auth-app.ts'
import { onEnd } from '../support/cleanup.ts'
import { configOf } from '../support/config.ts'
import { peppersOf } from '../support/peppers.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { startRedis } from '../support/redis-server.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'

const idOf = (key: string) => key.slice(8, 24)
const get = (app: FastifyInstance, url: string, headers: Record<string, string>) => app.inject({ url, headers })
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

test('a key by each of its carriers is its principal', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const account = { id: makeTimeOrderedId(Date.now()), name: 'acme', tier: 'free' }
  await insertAccount(app.sql, account)
  const key = await storeKey(app, { accountId: account.id, scopes: ['chat', 'models'], models: ['llama-*'] })
  for (const headers of [bearer(key), { authorization: `bearer ${key}` }, { 'x-api-key': key }, { 'api-key': key }]) {
    const response = await get(app, '/chat', headers)
    assert.equal(response.statusCode, 200)
    const { limits, ...principal } = response.json()
    assert.deepEqual(
      [limits.keyId, limits.limits[0].name, limits.limits[0].size],
      [idOf(key), 'requests_per_minute', 60],
    )
    assert.deepEqual(principal, {
      accountId: account.id,
      accountName: 'acme',
      credential: 'key',
      identity: null,
      keyId: idOf(key),
      tier: 'free',
      models: ['llama-*'],
      semanticCache: false,
      scopes: ['chat', 'models'],
      expiresAtMs: null,
    })
  }
})

test('a missing scope is a 403 that names it', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const response = await get(app, '/admin', bearer(await storeKey(app)))
  assert.equal(response.statusCode, 403)
  const { error } = response.json()
  assert.deepEqual([error.type, error.code], ['permission_error', 'insufficient_permissions'])
  assert.match(error.message, /"admin"/)
  assert.equal((await get(app, '/admin', bearer(await storeKey(app, { scopes: ['admin'] })))).statusCode, 200)
})

test('K01, K06: whatever is wrong with a key, the answer is the same 401, byte for byte', async t => {
  const { app, lines } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const [good, revoked, expired, suspended] = [
    await storeKey(app),
    await storeKey(app),
    await storeKey(app, { expiresAt: new Date(Date.now() - 1) }),
    await (async () => {
      const account = { id: makeTimeOrderedId(Date.now()), name: 'late payer', tier: 'free' }
      await insertAccount(app.sql, account)
      await app.sql`update accounts set status = 'suspended' where id = ${account.id}`
      return await storeKey(app, { accountId: account.id })
    })(),
  ]
  await revokeKey(app.sql, idOf(revoked))
  const unknown = makeApiKey(app.peppers).key
  const foreign = makeApiKey(peppersOf('the pepper of another installation')).key
  const [{ digest }] = await app.sql<[{ digest: Buffer }]>`select digest from api_keys where public_id = ${idOf(good)}`
  const wrong: Record<string, string>[] = [
    bearer(revoked),
    bearer(expired),
    bearer(suspended),
    bearer(unknown),
    bearer(foreign),
    bearer(idOf(good)),
    bearer(digest.toString('hex')),
    bearer(digest.toString('base64')),
    bearer(hash('sha256', good)),
    bearer(hash('sha256', adminKey)),
    bearer(good.slice(0, -1)),
    bearer(`${good}0`),
    bearer(`${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}`),
    bearer('x'.repeat(8000)),
    bearer("' or 1=1 --"),
    { authorization: `Basic ${good}` },
    { ...bearer(good), 'x-api-key': unknown },
    { 'x-api-key': good, 'api-key': unknown },
  ]
  const bodies = new Set<string>()
  for (const headers of [...wrong, ...wrong]) {
    const response = await get(app, '/chat', headers)
    assert.equal(response.statusCode, 401, JSON.stringify(headers))
    bodies.add(response.body)
  }
  assert.equal(bodies.size, 1)
  const [body = ''] = bodies
  assert.equal(JSON.parse(body).error.code, 'invalid_api_key')
  assert.equal((await get(app, '/chat', bearer(good))).statusCode, 200)

  const inQuery = await get(app, `/chat?api_key=${good}`, {})
  assert.equal(inQuery.statusCode, 401)
  assert.match(inQuery.json().error.message, /Authorization: Bearer/)

  const logged = lines.join('').replaceAll(`api_key=${good}`, '')
  for (const key of [good, revoked, unknown]) assert.equal(logged.includes(key.slice(-54)), false)
})

test('K01: two Authorization headers are refused, also when both are good', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const key = await storeKey(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const header = `Authorization: Bearer ${key}\r\n`
  socket.write(`GET /chat HTTP/1.1\r\nHost: a\r\n${header}${header}Connection: close\r\n\r\n`)
  let text = ''
  socket.on('data', data => (text += data))
  await once(socket, 'close')
  assert.match(text, /^HTTP\/1\.1 401 /)
})

test('the preset admin key has every scope, also while the database is down, and is no key of the database', async t => {
  const { app } = await buildAuthApp(t, { databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' })
  for (const scope of scopeNames) {
    const response = await get(app, `/${scope}`, bearer(adminKey))
    assert.equal(response.statusCode, 200)
    const { keyId, accountName, models, scopes } = response.json()
    assert.deepEqual([keyId, accountName, models, scopes], [null, 'default', ['*'], [...scopeNames]])
  }
})

test('a key is looked up once however many bring it, and not again within the TTL', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const key = await storeKey(app)
  const before = await countLookups(app)
  const responses = await Promise.all(Array.from({ length: 200 }, () => get(app, '/chat', bearer(key))))
  assert.deepEqual(new Set(responses.map(response => response.statusCode)), new Set([200]))
  for (let index = 0; index < 50; index += 1) await get(app, '/chat', bearer(key))
  assert.equal((await countLookups(app)) - before, 1)
})

test('forged keys cost no look-up at all', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const before = await countLookups(app)
  for (let index = 0; index < 50; index += 1) {
    const forged = makeApiKey(app.peppers).key.slice(0, -11) + randomBytes(6).toString('hex').slice(0, 11)
    assert.equal((await get(app, '/chat', bearer(forged))).statusCode, 401)
  }
  assert.equal((await countLookups(app)) - before, 0)
})

test('a revoked key stops when it is forgotten, else with the TTL', async t => {
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t))
  const key = await storeKey(app)
  assert.equal((await get(app, '/chat', bearer(key))).statusCode, 200)
  await revokeKey(app.sql, idOf(key))
  assert.equal((await get(app, '/chat', bearer(key))).statusCode, 200)
  app.announceChange({ kind: 'key', id: idOf(key) })
  assert.equal((await get(app, '/chat', bearer(key))).statusCode, 401)
})

test('who was away from Redis asks again for every key, and goes on serving', async t => {
  const redis = await startRedis(t)
  const { app } = await buildReadyAuthApp(t, await createMigratedDatabase(t), { redisUrl: redis.url })
  const keys = await Promise.all(Array.from({ length: 5 }, () => storeKey(app)))
  const isListening = async () => {
    const [, count] = (await app.redis.call('PUBSUB', 'NUMSUB', 'weir:changes').catch(() => [])) as unknown[]
    return count === 1
  }
  await until('changes are listened to', isListening)
  for (const key of keys) assert.equal((await get(app, '/chat', bearer(key))).statusCode, 200)
  await redis.kill()
  // Told to nobody: this is what another replica did meanwhile.
  await revokeKey(app.sql, idOf(keys[0] ?? ''))
  for (const key of keys) assert.equal((await get(app, '/chat', bearer(key))).statusCode, 200)
  await redis.start()
  await until(
    'the revoked one is refused',
    async () => (await get(app, '/chat', bearer(keys[0] ?? ''))).statusCode === 401,
  )
  const statuses = await Promise.all(keys.map(async key => (await get(app, '/chat', bearer(key))).statusCode))
  assert.deepEqual(statuses, [401, 200, 200, 200, 200])
})

test('G05: while PostgreSQL is down known keys go on, unknown ones get 503 and forged ones 401; then it heals', async t => {
  const server = await startPostgres(t)
  const { app } = await buildReadyAuthApp(t, server.url, { auth: { keyCacheTtlMs: 0 } })
  const [known, unseen] = [await storeKey(app), await storeKey(app)]
  assert.equal((await get(app, '/chat', bearer(known))).statusCode, 200)

  await server.kill()
  await withDeadline(app.sql`select 1`).catch(error => app.database.reportFailure(error))
  assert.equal((await get(app, '/chat', bearer(known))).statusCode, 200)
  const response = await get(app, '/chat', bearer(unseen))
  assert.equal(response.statusCode, 503)
  assert.equal(response.json().error.code, 'auth_unavailable')
  assert.ok(Number(response.headers['retry-after']) >= 1)
  assert.equal((await get(app, '/chat', bearer(`${known.slice(0, -1)}!`))).statusCode, 401)

  await server.start()
  await until('it is ready again', () => app.database.state === 'ready')
  assert.equal((await get(app, '/chat', bearer(unseen))).statusCode, 200)

  server.freeze()
  const startedAt = performance.now()
  assert.equal((await get(app, '/chat', bearer(known))).statusCode, 200)
  assert.ok(performance.now() - startedAt < 1500)
  server.thaw()
})

test('K10: a short admin key or a missing pepper does not start', async t => {
  const config = configOf({ WEIR_DATA_DIR: makeTempDir(t) })
  const start = async (changes: Partial<typeof config>) => {
    const app = fastify()
    onEnd(t, () => app.close())
    await registerAuth(app, { ...config, ...changes })
  }
  const stores = { ...config.stores, databaseUrl: 'postgres://nobody@127.0.0.1:1/nothing' }
  await assert.rejects(start({ stores }), /WEIR_KEY_PEPPER/)
  const keyPepper = 'a pepper that is long enough for tests'
  await assert.rejects(start({ stores, auth: { ...config.auth, keyPepper, adminKey: 'short' } }), /WEIR_ADMIN_KEY/)
})
