import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { type Answer, between, countOf, othersThan, p99Of, startChaosWorld } from '../support/limit-chaos.ts'
import { connect } from '../support/limit-redis.ts'
import { startRedis } from '../support/redis-server.ts'

const tiers = {
  plenty: { limits: { requestsPerMinute: 1_000_000, requestsInFlight: 1000 } },
  spent: { limits: { requestsPerDay: 1 } },
}
const replicas = 4
const maxOpsPerSecond = 50
const maxSlower = 1.5
/** Each replica says once a second that it lives, and tries the script. */
const beatsPerSecond = 2 * replicas

async function scriptCalls(admin: Redis): Promise<number> {
  const info = await admin.info('commandstats')
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1] ?? 0)
}

test('L15 a key that is denied all the time costs neither Redis nor the others', async t => {
  const redis = await startRedis(t)
  const admin = await connect(t, redis.url)
  const world = await startChaosWorld(t, { count: replicas, tiers, redisUrl: redis.url })
  const [hot, other] = [await world.caller('spent'), await world.caller('plenty')]
  while ((await world.ask(0, hot)).status === 200);

  await t.test('L15 as many as the machine gives', async t => {
    const answers: Answer[] = []
    const [before, beganMs] = [await scriptCalls(admin), performance.now()]
    const isOver = () => performance.now() > beganMs + 6000
    const ask = async (replica: number) => {
      while (!isOver()) answers.push(await world.ask(replica, hot))
    }
    await Promise.all(Array.from({ length: 64 }, (_, index) => ask(index % replicas)))
    const seconds = (performance.now() - beganMs) / 1000
    const calls = (await scriptCalls(admin)) - before
    const perSecond = answers.length / seconds
    const opsPerSecond = calls / seconds - beatsPerSecond
    t.diagnostic(
      `${perSecond.toFixed(0)} denied a second (the row wants 5,000), ${opsPerSecond.toFixed(1)} calls of Redis`,
    )
    assert.deepEqual(othersThan(answers, 429), [])
    assert.ok(perSecond > 500, `${perSecond}`)
    assert.ok(opsPerSecond <= maxOpsPerSecond, `${opsPerSecond}`)
    assert.ok(opsPerSecond >= 1, 'it is asked about now and then')
  })

  await t.test('L15 the others', async t => {
    const usual = world.startLoad(other, 100)
    const p99s: { quiet: number[]; hot: number[] } = { quiet: [], hot: [] }
    // In turns, so that what else the machine does falls on both.
    for (let round = 0; round < 16; round++) {
      const load = round % 2 === 0 ? null : world.startLoad(hot, 400)
      const beganMs = performance.now()
      await sleep(1000)
      const endMs = performance.now()
      const denied = await load?.stop()
      assert.deepEqual(othersThan(denied ?? [], 429), [])
      p99s[load === null ? 'quiet' : 'hot'].push(p99Of(between(usual.answers, beganMs, endMs)))
    }
    const answers = await usual.stop()
    const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
    const [quietMs, hotMs] = [median(p99s.quiet), median(p99s.hot)]
    t.diagnostic(`p99 ${quietMs.toFixed(1)} ms, beside the hot key ${hotMs.toFixed(1)} ms`)
    assert.equal(countOf(answers, 200), answers.length)
    assert.ok(hotMs <= maxSlower * quietMs, `${hotMs} ms instead of ${quietMs} ms`)
  })
})
