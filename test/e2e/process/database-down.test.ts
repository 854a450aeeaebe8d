import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { makeApiKey } from '../../../src/domain/api-key.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { peppersOf } from '../../support/peppers.ts'
import { startPostgres } from '../../support/postgres-server.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { adminKey, health, pepper, sdk, shownKey, statusWith, untilReady } from './calls.ts'

async function start(t: TestContext, databaseUrl: string, more: Record<string, string> = {}) {
  const backend = await startScriptedBackend(t)
  const stores = { DATABASE_URL: databaseUrl, WEIR_KEY_PEPPER: pepper }
  return await startGateway(t, {
    env: { ...stores, WEIR_BACKEND_URL: backend.url, ...more },
  })
}

test('G05 with PostgreSQL down it starts, is alive but not ready, and recovers alone; later outages leave it ready', async t => {
  const postgres = await startPostgres(t)
  await postgres.kill()
  const gateway = await start(t, postgres.url)
  const { url } = gateway

  await t.test('before the first contact: no stored key can be checked, so no traffic is wanted', async () => {
    assert.deepEqual(await health(url, '/health/live'), { code: 200, status: 'ok' })
    assert.deepEqual(await health(url), { code: 503, status: 'starting' })
    const { key } = makeApiKey(peppersOf(pepper))
    assert.equal(await statusWith(url, key), 503)
    assert.equal(await statusWith(url, `${key.slice(0, -1)}!`), 401, 'what is no key needs no database')
    assert.deepEqual(gateway.stderr, [])
  })

  await t.test('with the database come the first key and readiness', async () => {
    await postgres.start()
    await untilReady(url, 10_000)
    assert.equal(await statusWith(url, await shownKey(gateway)), 200)
  })

  await t.test('when it goes again known keys go on, unknown ones get 503, and it stays ready', async () => {
    const key = await shownKey(gateway)
    const other = await startGateway(t, { env: { DATABASE_URL: postgres.url, WEIR_KEY_PEPPER: pepper } })
    await untilReady(other.url)
    await postgres.kill()
    assert.equal(await statusWith(url, key), 200)
    const refused = await sdk(other.url, key)
      .models.list()
      .then(
        () => assert.fail('it cannot know this key'),
        error => error,
      )
    assert.deepEqual([refused.status, refused.code], [503, 'auth_unavailable'])
    await eventually('degraded', async () => (await health(url, '/health')).status === 'degraded', {
      withinMs: 10_000,
    })
    assert.deepEqual(await health(url), { code: 200, status: 'ok' })
    assert.deepEqual(await health(other.url), { code: 200, status: 'ok' })
    await postgres.start()
    await eventually('the key is known', async () => (await statusWith(other.url, key)) === 200, { withinMs: 10_000 })
    await eventually('all is well', async () => (await health(url, '/health')).status === 'ok', { withinMs: 10_000 })
  })
})

test('a preset key works while the database is down, and readiness waits all the same: other keys would fail', async t => {
  const gateway = await start(t, 'postgres://nobody@127.0.0.1:1/nothing', { WEIR_ADMIN_KEY: adminKey })
  assert.equal(await statusWith(gateway.url, adminKey), 200)
  assert.deepEqual(await health(gateway.url), { code: 503, status: 'starting' })
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
  assert.deepEqual(gateway.stderr, [], 'a stop before the first contact is no error')
})
