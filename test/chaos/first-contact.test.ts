import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminKey, health, pepper, statusWith, untilReady } from '../e2e/process/calls.ts'
import { startGateway } from '../support/gateway-process.ts'
import { startPostgres } from '../support/postgres-server.ts'

test('without any contact to PostgreSQL readiness is held back for a minute, then this is an outage like another', async t => {
  const sinceMs = performance.now()
  const stores = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing', WEIR_KEY_PEPPER: pepper }
  const { url } = await startGateway(t, {
    env: { ...stores, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: 'http://127.0.0.1:9' },
  })
  await untilReady(url, 70_000)
  const tookMs = performance.now() - sinceMs
  assert.ok(tookMs > 59_000 && tookMs < 65_000, `ready after ${tookMs} ms`)
  assert.deepEqual(await health(url, '/health'), { code: 200, status: 'degraded' })
  assert.equal(await statusWith(url, adminKey), 200)
})

test('with PostgreSQL frozen a signal still ends it with 0, soon', async t => {
  const postgres = await startPostgres(t)
  const stores = { DATABASE_URL: postgres.url, WEIR_KEY_PEPPER: pepper }
  const gateway = await startGateway(t, { env: { ...stores, WEIR_BACKEND_URL: 'http://127.0.0.1:9' } })
  await untilReady(gateway.url)
  postgres.freeze()
  const sinceMs = performance.now()
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
  assert.ok(performance.now() - sinceMs < 8000)
})
