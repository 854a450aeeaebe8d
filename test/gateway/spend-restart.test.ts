import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway, type Gateway } from '../support/gateway.ts'
import { makeKey } from '../support/keys.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { createMigratedDatabase, createRedisDatabase } from '../support/services.ts'

const body = JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }], max_tokens: 10 })

/** Of a chat: its status, and what it cost. */
async function chat({ fetch, url }: Gateway, key: string): Promise<readonly [number, string | null]> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
  await answer.text()
  return [answer.status, answer.headers.get('x-weir-cost')]
}

/** Of its quota and its spend limit. */
async function usedOfMonth({ fetch, url }: Gateway, key: string): Promise<unknown> {
  const answer = await fetch(`${url}/v1/usage/limits`, { headers: { authorization: `Bearer ${key}` } })
  const { data } = (await answer.json()) as { data: { name: string; used: unknown }[] }
  return data.flatMap(({ name, used }) => (name.endsWith('per_month') ? [used] : []))
}

/** Gateways one after the other, on one database. */
async function startWorld(t: TestContext, more: Record<string, string>, behaviour = llamaServer()) {
  const backend = await startScriptedBackend(t, behaviour)
  const yaml = JSON.stringify({
    tiers: { free: { spendLimits: { perMonth: '0.0010' }, quotas: { tokensPerMonth: 100_000 } }, open: {} },
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 100 } },
    models: { tinychat: { targets: [{ backend: 'main' }], prices: [{ from: '2026-01-01', output: '50.00' }] } },
  })
  const env = { DATABASE_URL: await createMigratedDatabase(t), ...more }
  return () => buildGateway(t, { yaml, env })
}

test('a restart forgets nothing of what was spent, and says so before anything else is asked', async t => {
  const start = await startWorld(t, {})
  const first = await start()
  const secret = await makeKey(first.app, { account: 'acme', tier: 'free' })
  // 10 tokens are held at 50 USD a million, 7 are used.
  assert.deepEqual(await chat(first, secret), [200, '0.00035'])
  assert.deepEqual(await chat(first, secret), [200, '0.00035'])
  await first.app.close()
  const second = await start()
  assert.deepEqual(await usedOfMonth(second, secret), [46, '0.0007'])
  assert.deepEqual(await chat(second, secret), [429, null])
  await second.app.close()
})

test('a limit that is given in the middle of a month counts what was used of it before', async t => {
  for (const env of [{}, { REDIS_URL: await createRedisDatabase(t) }]) {
    const gateway = await (await startWorld(t, env))()
    const secret = await makeKey(gateway.app, { account: 'acme', tier: 'free' })
    assert.equal((await chat(gateway, secret))[0], 200)
    await adminOf(gateway).get('PATCH', '/accounts/acme', { limits: { spend_per_day: '0.0005' } })
    assert.deepEqual(await chat(gateway, secret), [429, null])
    await gateway.app.close()
  }
})

test('what was used while a limit was taken away counts when it is given again, and what began before as well', async t => {
  for (const env of [{}, { REDIS_URL: await createRedisDatabase(t) }]) {
    const llama = llamaServer()
    const [arrives, answers] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let chats = 0
    const start = await startWorld(t, env, async exchange => {
      if (exchange.request.path.endsWith('/chat/completions') && ++chats === 3) {
        arrives.resolve()
        await answers.promise
      }
      await llama(exchange)
    })
    const gateway = await start()
    const secret = await makeKey(gateway.app, { account: 'acme', tier: 'free' })
    const { get } = adminOf(gateway)
    assert.deepEqual(await chat(gateway, secret), [200, '0.00035'])
    await get('PATCH', '/accounts/acme', { tier: 'open' })
    assert.deepEqual(await chat(gateway, secret), [200, '0.00035'])
    const running = chat(gateway, secret)
    await arrives.promise
    await get('PATCH', '/accounts/acme', { tier: 'free' })
    assert.deepEqual(await chat(gateway, secret), [429, null])
    answers.resolve()
    assert.deepEqual(await running, [200, '0.00035'])
    await eventually('what ran is counted', async () => {
      assert.deepEqual(await usedOfMonth(gateway, secret), [69, '0.00105'])
      return true
    })
    await gateway.app.close()
  }
})
