/** What takes a gateway from its balancer, and what does not. */
import { deepEqual } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { startRedis } from '../support/redis-server.ts'

const backends = { main: { url: 'http://127.0.0.1:9', engine: 'llama-server', slots: 1 } }

async function start(t: TestContext, yaml: object, env: Record<string, string> = {}) {
  const { url, fetch } = await buildGateway(t, {
    yaml: JSON.stringify({ backends, ...yaml }),
    env,
  })
  return async () => {
    const [health, ready, live] = await Promise.all(
      ['', '/ready', '/live'].map(async path => {
        const response = await fetch(`${url}/health${path}`)
        const { status } = JSON.parse(await response.text())
        return `${response.status} ${status}`
      }),
    )
    return { health, ready, live }
  }
}

const refusing = { ready: '503 degraded', live: '200 ok' }

test('where usage cannot be kept it gets no traffic', async t => {
  const probe = await start(t, { ledger: { highFree: '1024GiB', fullFree: '1024GiB' } })
  deepEqual(await probe(), { ...refusing, health: '200 degraded' })
})

test('without Redis it gets traffic, unless each of its tiers would rather have none', async t => {
  const redis = await startRedis(t)
  const tiers = (whenLimiterDown: string) => ({
    free: { whenLimiterDown: 'closed' },
    premium: { whenLimiterDown: 'closed' },
    enterprise: { whenLimiterDown },
  })
  const [open, closed] = [
    await start(t, { tiers: tiers('local') }, { REDIS_URL: redis.url }),
    await start(t, { tiers: tiers('closed') }, { REDIS_URL: redis.url }),
  ]
  const untilHealth = async (probe: typeof open, ready: string) => {
    await eventually(`ready: ${ready}`, async () => (await probe()).ready === ready, { withinMs: 10_000 })
    return probe()
  }
  await untilHealth(closed, '200 ok')
  await redis.kill()
  deepEqual(await untilHealth(closed, '503 degraded'), { ...refusing, health: '200 degraded' })
  await eventually('the other one says so too', async () => (await open()).health === '200 degraded')
  deepEqual((await open()).ready, '200 ok')
  await redis.start()
  await untilHealth(closed, '200 ok')
})
