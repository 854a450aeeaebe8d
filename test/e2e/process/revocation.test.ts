import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, statusWith, untilReady } from './calls.ts'

const replicas = 4
/** The row's figures. */
const withRedisMs = 5000
const withoutRedisMs = 30_000

async function startReplicas(t: TestContext, redisUrl: string): Promise<readonly GatewayProcess[]> {
  const backend = await startScriptedBackend(t)
  const env = {
    DATABASE_URL: await createDatabase(t),
    REDIS_URL: redisUrl,
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_BACKEND_URL: backend.url,
  }
  // The first one makes the schema; the others would only wait for it.
  const first = await startGateway(t, { env })
  const others = await Promise.all(Array.from({ length: replicas - 1 }, () => startGateway(t, { env })))
  const all = [first, ...others]
  await Promise.all(all.map(({ url }) => untilReady(url)))
  return all
}

async function admin(url: string, method: string, path: string, body?: object): Promise<Record<string, string>> {
  const response = await boundedFetch(`${url}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  assert.ok(response.ok, `${method} ${path} → ${response.status}`)
  return (await response.json()) as Record<string, string>
}

async function tokenFor(url: string, key: string): Promise<string> {
  const response = await boundedFetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
  })
  const { access_token: token = '' } = (await response.json()) as Record<string, string>
  return token
}

/** Asks every replica again and again with each credential; when each was last let in. */
function startLoad(gateways: readonly GatewayProcess[], credentials: readonly string[]) {
  const lastLetIn = new Map<string, number>()
  const statuses = new Set<number>()
  let isRunning = true
  const workers = gateways.flatMap(({ url }) =>
    credentials.map(async credential => {
      while (isRunning) {
        const status = await statusWith(url, credential)
        statuses.add(status)
        if (status === 200) lastLetIn.set(`${url} ${credential.slice(0, 20)}`, performance.now())
        await delay(5)
      }
    }),
  )
  return {
    statuses,
    lastLetIn: () => Math.max(...lastLetIn.values()),
    seen: () => lastLetIn.size,
    stop: async () => {
      isRunning = false
      await Promise.all(workers)
    },
  }
}

/** How long after `revoke` any replica still let any of the credentials in. */
async function measure(
  gateways: readonly GatewayProcess[],
  credentials: readonly string[],
  revoke: () => Promise<void>,
) {
  const load = startLoad(gateways, credentials)
  const all = gateways.length * credentials.length
  await eventually('every replica lets every credential in', () => load.seen() === all, { withinMs: 20_000 })
  await revoke()
  const revokedAt = performance.now()
  await eventually(
    'nobody is let in any more',
    () => performance.now() - Math.max(load.lastLetIn(), revokedAt) > 1500,
    {
      withinMs: withoutRedisMs + 10_000,
    },
  )
  await load.stop()
  assert.deepEqual(load.statuses, new Set([200, 401]))
  return load.lastLetIn() - revokedAt
}

test('K11 a revoked key, its tokens and a suspended account end on all replicas: at once by Redis, else by the TTL', async t => {
  const redis = await startRedis(t)
  const gateways = await startReplicas(t, redis.url)
  const [first, second] = gateways
  assert.ok(first && second)
  const makeKey = async (account: string) => {
    const { id = '', key = '' } = await admin(first.url, 'POST', '/keys', { account })
    return { id, credentials: [key, await tokenFor(second.url, key)] }
  }
  const { id: accountId = '' } = await admin(first.url, 'POST', '/accounts', { name: 'acme', tier: 'premium' })

  await t.test('revoked while Redis is up', async () => {
    const { id, credentials } = await makeKey('acme')
    const tookMs = await measure(
      gateways,
      credentials,
      async () => void (await admin(second.url, 'DELETE', `/keys/${id}`)),
    )
    assert.ok(tookMs <= withRedisMs, `${tookMs.toFixed(0)} ms`)
  })

  await t.test('suspended while Redis is up, and active again', async () => {
    const { credentials } = await makeKey('acme')
    const set = (status: string) => admin(second.url, 'PATCH', `/accounts/${accountId}`, { status })
    const tookMs = await measure(gateways, credentials, async () => void (await set('suspended')))
    assert.ok(tookMs <= withRedisMs, `${tookMs.toFixed(0)} ms`)
    await set('active')
    for (const { url } of gateways)
      await eventually('it is let in again', async () => (await statusWith(url, credentials[0] ?? '')) === 200)
  })

  await t.test('revoked while Redis is down', async () => {
    const { id, credentials } = await makeKey('acme')
    await redis.kill()
    const tookMs = await measure(
      gateways,
      credentials,
      async () => void (await admin(second.url, 'DELETE', `/keys/${id}`)),
    )
    assert.ok(tookMs <= withoutRedisMs, `${tookMs.toFixed(0)} ms`)
  })

  await t.test('revoked while Redis is away and back within the TTL: known as soon as it is back', async () => {
    const { id, credentials } = await makeKey('acme')
    const tookMs = await measure(gateways, credentials, async () => {
      await admin(second.url, 'DELETE', `/keys/${id}`)
      await redis.start()
    })
    assert.ok(tookMs <= withRedisMs, `${tookMs.toFixed(0)} ms`)
  })
})
