import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { boundedFetch } from '../support/bounded-fetch.ts'
import { type FakeClock, makeFakeClock } from '../support/faketime.ts'
import { between, type ChaosWorld, countOf, othersThan, startChaosWorld } from '../support/limit-chaos.ts'
import { connect } from '../support/limit-redis.ts'
import { startRedis } from '../support/redis-server.ts'

const perMinute = 600
const burst = 100
const windowMs = 60_000
const tiers = {
  plenty: { limits: { requestsPerMinute: 1_000_000 } },
  limited: { limits: { requestsPerMinute: perMinute, requestsInFlight: 50, burst }, quotas: { tokensPerMonth: 1e9 } },
}
const hour = 3600
const jumps = [hour, -hour] as const
const describe = (seconds: number) => (seconds > 0 ? 'an hour ahead' : 'an hour back')

/**
 * A caller who asks for much more than it may, and a clock that jumps meanwhile: after the jump no more than a burst and
 * the refill is admitted, half of the refill at least, and nobody is told to wait for longer than a window.
 */
async function assertUnmoved(world: ChaosWorld, clock: FakeClock, seconds: number): Promise<string> {
  const key = await world.caller('limited')
  const changes = world.modeChanges().length
  const load = world.startLoad(key, 100)
  await sleep(3000)
  const jumpedMs = performance.now()
  clock.set(seconds)
  await sleep(4000)
  const answers = await load.stop()
  const refill = ((performance.now() - jumpedMs) * perMinute) / windowMs
  const after = between(answers, jumpedMs)
  const admitted = countOf(after, 200)
  const longestMs = Math.max(...after.map(({ retryAfterMs }) => retryAfterMs))
  const figures = `${admitted} admitted after the jump, refill ${refill.toFixed(0)}, longest wait ${longestMs} ms`
  assert.deepEqual(othersThan(answers, 200, 429), [])
  assert.ok(countOf(between(answers, 0, jumpedMs), 429) > 50, 'the limit was reached before')
  assert.ok(admitted <= burst + Math.ceil(refill), figures)
  assert.ok(admitted >= refill / 2, figures)
  assert.ok(longestMs <= windowMs, figures)
  assert.doesNotMatch(world.modeChanges().slice(changes).join(), /too late/)
  return figures
}

test("L14 Redis' clock", async t => {
  const clock = makeFakeClock(t)
  const redis = await startRedis(t, { env: clock.redisEnv })
  const admin = await connect(t, redis.url)
  const world = await startChaosWorld(t, { count: 2, tiers, redisUrl: redis.url })
  for (const seconds of jumps) {
    await t.test(`L14 Redis ${describe(seconds)}`, async t => {
      t.diagnostic(await assertUnmoved(world, clock, seconds))
      const [now = 0] = await admin.time()
      assert.ok(Math.abs(Number(now) - Date.now() / 1000 - seconds) < 60, 'its clock has jumped')
      // And from where it is now it comes back.
      t.diagnostic(await assertUnmoved(world, clock, 0))
    })
  }
})

for (const store of ['Redis', 'the process'] as const) {
  test(`L14 the gateways' clock, counting in ${store}`, async t => {
    const clock = makeFakeClock(t)
    const redisUrl = store === 'Redis' ? (await startRedis(t)).url : null
    const count = store === 'Redis' ? 2 : 1
    const world = await startChaosWorld(t, { count, tiers, redisUrl, env: clock.env })
    for (const seconds of jumps) {
      await t.test(`L14 gateways ${describe(seconds)}, counting in ${store}`, async t => {
        t.diagnostic(await assertUnmoved(world, clock, seconds))
        const { headers } = await boundedFetch(`${world.gateways[0]?.url}/health`)
        const shownMs = Date.parse(headers.get('date') ?? '')
        assert.ok(Math.abs(shownMs - Date.now() - seconds * 1000) < 60_000, `its clock has jumped: ${shownMs}`)
        t.diagnostic(await assertUnmoved(world, clock, 0))
      })
    }
  })
}
