import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { between, countOf, othersThan, startChaosWorld } from '../support/limit-chaos.ts'
import { connect } from '../support/limit-redis.ts'
import { startRedis } from '../support/redis-server.ts'

const perMinute = 600
const tiers = {
  plenty: { limits: { requestsPerMinute: 1_000_000 } },
  limited: { limits: { requestsPerMinute: perMinute } },
}

test('L12 FLUSHALL under load admits one window more at most, and nobody goes on alone', async t => {
  const redis = await startRedis(t)
  const world = await startChaosWorld(t, { count: 3, tiers, redisUrl: redis.url })
  const admin = await connect(t, redis.url)
  const key = await world.caller('limited')
  const changes = world.modeChanges().length
  const load = world.startLoad(key, 300)
  const beganMs = performance.now()
  await sleep(5000)
  const flushedMs = performance.now()
  await admin.flushall()
  await sleep(5000)
  const answers = await load.stop()
  const endMs = performance.now()
  const refill = (fromMs: number) => Math.floor(((endMs - fromMs) * perMinute) / 60_000) + 1
  const total = countOf(answers, 200)
  const after = countOf(between(answers, flushedMs), 200)
  t.diagnostic(`${total} of ${answers.length} admitted, ${after} of them after the flush`)
  assert.deepEqual(othersThan(answers, 200, 429), [])
  assert.ok(countOf(between(answers, beganMs, flushedMs), 429) > 300, 'the limit was reached before')
  assert.ok(total > perMinute + refill(beganMs), 'the flush did forget')
  assert.ok(total <= 2 * perMinute + refill(beganMs), `${total}`)
  assert.ok(after <= perMinute + refill(flushedMs), `${after}`)
  assert.deepEqual(world.modeChanges().slice(changes), [])
})
