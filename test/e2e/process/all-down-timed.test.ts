import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startJwksServer } from '../../support/jwks-server.ts'
import { jwkOf, makeKeyPair, signJwt } from '../../support/jwt-maker.ts'
import { startPostgres } from '../../support/postgres-server.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, health, pepper, sdk, statusWith, untilReady } from './calls.ts'

const question = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }] }

test('G05 with PostgreSQL, Redis, backend and issuer all down it starts; each that comes back is used without anybody’s help', async t => {
  const [database, redis] = await Promise.all([startPostgres(t), startRedis(t)])
  await Promise.all([database.kill(), redis.kill()])
  const backend = await startScriptedBackend(t)
  await backend.stop()
  const pair = makeKeyPair('ES256')
  const issuer = await startJwksServer(t)
  await issuer.stop()
  const folder = makeTempDir(t)
  const corp = { issuer: 'https://login.example/', audience: ['weir'], jwksUrl: issuer.url, provision: true }
  const backends = { main: { url: backend.url, engine: 'llama-server' } }
  const models = { tinychat: { targets: [{ backend: 'main' }] } }
  writeFileSync(join(folder, 'weir.yaml'), JSON.stringify({ auth: { issuers: { corp } }, backends, models }))
  const stores = { DATABASE_URL: database.url, REDIS_URL: redis.url, WEIR_KEY_PEPPER: pepper }
  const sinceMs = performance.now()
  const gateway = await startGateway(t, { folder, env: { ...stores, WEIR_ADMIN_KEY: adminKey } })
  t.diagnostic(`it listened after ${Math.round(performance.now() - sinceMs)} ms`)
  const { url } = gateway
  const exp = Math.ceil(Date.now() / 1000) + 600
  const jwt = signJwt(pair, { iss: corp.issuer, aud: 'weir', sub: 'somebody', exp }, { kid: 'one' })
  const chat = (key: string) =>
    sdk(url, key)
      .chat.completions.create(question)
      .then(
        () => 200,
        error => error.status,
      )

  await t.test('it is alive, not ready for want of the database, and says what is missing', async () => {
    assert.equal((await health(url, '/health/live')).code, 200)
    assert.deepEqual(await health(url), { code: 503, status: 'starting' })
    assert.deepEqual([await statusWith(url, adminKey), await statusWith(url, jwt)], [200, 503])
    assert.ok([502, 503].includes(await chat(adminKey)))
    assert.deepEqual(gateway.stderr, [])
  })

  await t.test('with the database it is ready: all else can be gone for a while', async () => {
    await database.start()
    await untilReady(url, 10_000)
    assert.equal((await health(url, '/health')).status, 'degraded')
  })

  await t.test('the backend, the issuer and Redis come back, in whatever order', async () => {
    const withinMs = 15_000
    await backend.start()
    await eventually('the backend answers', async () => (await chat(adminKey)) === 200, { withinMs })
    await startJwksServer(t, [jwkOf(pair, 'one')], issuer.port)
    await eventually('the JWT is let in', async () => (await statusWith(url, jwt)) === 200, { withinMs })
    await redis.start()
    await eventually('nothing is missing', async () => (await health(url, '/health')).status === 'ok', { withinMs })
    gateway.kill()
    assert.equal((await gateway.exit).code, 0)
  })
})
