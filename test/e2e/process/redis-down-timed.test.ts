import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, health, pepper, sdk, untilReady } from './calls.ts'

test('G05 with Redis down it starts as fast, serves, and heals; the same when Redis goes later', async t => {
  const redis = await startRedis(t)
  await redis.kill()
  const backend = await startScriptedBackend(t)
  const stores = { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper, REDIS_URL: redis.url }
  const { url, logs, kill, exit } = await startGateway(t, {
    env: { ...stores, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url },
  })
  await untilReady(url, 5000)
  const chat = async () => {
    const messages = [{ role: 'user' as const, content: 'hi' }]
    const { choices } = await sdk(url, adminKey).chat.completions.create({ model: 'tinychat', messages })
    assert.equal(choices.length, 1)
  }
  const becomes = (status: string) =>
    eventually(status, async () => (await health(url, '/health')).status === status, { withinMs: 10_000 })

  await chat()
  await becomes('degraded')
  await redis.start()
  await becomes('ok')
  await redis.kill()
  await becomes('degraded')
  await chat()
  assert.equal((await health(url)).code, 200)
  await redis.start()
  await becomes('ok')
  redis.freeze()
  await chat()
  kill()
  assert.equal((await exit).code, 0)
  const said = logs().filter(log => String(log['msg']).startsWith('Redis'))
  assert.ok(said.length <= 6, 'a line for a change, not for an attempt')
})
