import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { between, medianP99, othersThan, p99Of, startChaosWorld } from '../support/limit-chaos.ts'
import { startRedis } from '../support/redis-server.ts'

/** Less than the rows L05 and L06 have: the proxy and the caller are one process, and its own delays are not Redis'. */
const perSecond = 200
const tiers = { plenty: { limits: { requestsPerMinute: 1_000_000, requestsInFlight: 1000 } } }

test('L07 Redis behind a bad network', async t => {
  const redis = await startRedis(t)
  const proxy = await startFaultProxy(t, { url: redis.url })
  const world = await startChaosWorld(t, { count: 1, tiers, redisUrl: `redis://127.0.0.1:${proxy.port}` })
  const key = await world.caller('plenty')

  // As much as is measured, so that only the network changes.
  const rehearsal = world.startLoad(key, perSecond)
  await sleep(4000)
  await rehearsal.stop()

  await t.test('L07 20 ms farther away: requests take 20 ms longer, and nobody goes on alone', async t => {
    const changes = world.modeChanges().length
    const load = world.startLoad(key, perSecond)
    const beganMs = performance.now()
    await sleep(3000)
    proxy.latency(20)
    const slowMs = performance.now()
    await sleep(6000)
    const endMs = performance.now()
    proxy.clear()
    const answers = await load.stop()
    const usualMs = medianP99(answers, beganMs, slowMs)
    const addedMs = medianP99(answers, slowMs, endMs) - usualMs
    t.diagnostic(`p99 ${usualMs.toFixed(1)} ms, +${addedMs.toFixed(1)} ms; ${answers.length} requests`)
    assert.deepEqual(othersThan(answers, 200), [])
    assert.deepEqual(world.modeChanges().slice(changes), [])
    assert.ok(addedMs >= 15, 'the delay was there')
    assert.ok(addedMs <= 25, `+${addedMs} ms`)
  })

  await t.test('L07 nothing arrives any more, and nobody is told: callers do not notice', async t => {
    const changes = world.modeChanges().length
    const load = world.startLoad(key, perSecond)
    const beganMs = performance.now()
    await sleep(3000)
    proxy.blackhole()
    const goneMs = performance.now()
    await sleep(6000)
    const endMs = performance.now()
    // What was swallowed is a gap in the bytes, which no network leaves: the connection cannot go on.
    proxy.clear()
    proxy.resetPeer()
    proxy.clear()
    await world.becomes('together')
    const backMs = performance.now() - endMs
    await sleep(500)
    const answers = await load.stop()
    const usualMs = medianP99(answers, beganMs, goneMs)
    const addedMs = medianP99(answers, goneMs + 250, endMs) - usualMs
    const firstMs = p99Of(between(answers, goneMs, goneMs + 250)) - p99Of(between(answers, beganMs, goneMs))
    const figures = `p99 ${usualMs.toFixed(1)} ms, +${addedMs.toFixed(1)}; first +${firstMs.toFixed(1)}; back in ${backMs.toFixed(0)} ms`
    t.diagnostic(figures)
    assert.deepEqual(othersThan(answers, 200), [])
    assert.ok(addedMs <= 10, figures)
    assert.ok(firstMs <= 60, figures)
    assert.ok(backMs <= 2000, figures)
    const [away, back, ...more] = world.modeChanges().slice(changes)
    assert.match(away ?? '', /does not answer/)
    assert.match(back ?? '', /counted in Redis/)
    assert.deepEqual(more, [])
  })
})
