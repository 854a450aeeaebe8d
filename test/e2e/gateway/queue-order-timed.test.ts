import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openWaitingRoom, type WaitingRoom } from '../../support/waiting-room.ts'

const tiers = { low: { priority: 20 }, high: { priority: 80 } }

/** The next so many that get the slot, one after the other; `running` has it now. */
async function serve({ served }: WaitingRoom, count: number): Promise<string[]> {
  const tags: string[] = []
  for (let n = 0; n < count; n += 1) {
    const { tag, finish } = await served.take()
    tags.push(tag)
    finish()
  }
  return tags
}

test('1,000 of one account that wait delay the single one of another by no more than one service', async t => {
  const room = await openWaitingRoom(t, { slots: 1, maxWaiting: 2000, tiers })
  const [many, single] = [await room.caller('many', 'low'), await room.caller('single', 'low')]
  const leave = new AbortController()
  const { signal } = leave
  const asked = [room.ask(many, 'many', { signal })]
  const running = await room.served.take()
  for (let n = 0; n < 1000; n += 1) asked.push(room.ask(many, 'many', { signal }))
  await room.waiting(1000)
  const answer = room.ask(single, 'single')
  await room.waiting(1001)
  assert.equal(await room.metric('weir_queue_position_count{tier="low"}'), 1001)
  // The first of the many had nobody before it, the second and the single one had one.
  assert.equal(await room.metric('weir_queue_position_bucket{le="0",tier="low"}'), 1)
  assert.equal(await room.metric('weir_queue_position_bucket{le="1",tier="low"}'), 3)
  running.finish()
  assert.deepEqual(await serve(room, 2), ['many', 'single'])
  assert.equal((await answer).status, 200)
  leave.abort()
  await Promise.allSettled(asked)
  await room.waiting(0)
  assert.equal(await room.metric('weir_queue_requests{tier="low"}'), 0)
  assert.ok(Number(await room.metric('weir_queue_wait_seconds_count{tier="low"}')) >= 3)
})

test('the tier with the higher priority goes first, whoever came before', async t => {
  const room = await openWaitingRoom(t, { slots: 1, tiers })
  const [low, high] = [await room.caller('patient', 'low'), await room.caller('urgent', 'high')]
  const asked = [room.ask(low, 'running')]
  const running = await room.served.take()
  for (let n = 1; n <= 3; n += 1) {
    asked.push(room.ask(low, `low ${n}`))
    await room.waiting(n)
  }
  for (let n = 1; n <= 3; n += 1) {
    asked.push(room.ask(high, `high ${n}`))
    await room.waiting(3 + n)
  }
  running.finish()
  assert.deepEqual(await serve(room, 6), ['high 1', 'high 2', 'high 3', 'low 1', 'low 2', 'low 3'])
  for (const answer of asked) assert.equal((await answer).status, 200)
})

test('with a full queue the wait that is told is true: who waits so long gets in', async t => {
  const room = await openWaitingRoom(t, { slots: 1, maxWaiting: 3, tiers, serviceMs: 300 })
  const key = await room.caller('someone', 'low')
  for (let n = 0; n < 3; n += 1) assert.equal((await room.ask(key, 'before')).status, 200)
  const asked = Array.from({ length: 4 }, () => room.ask(key, 'fills'))
  await room.waiting(3)
  const refused = await room.ask(key, 'too many')
  assert.deepEqual([refused.status, refused.code], [503, 'server_is_overloaded'])
  assert.ok(refused.retryAfterMs >= 900 && refused.retryAfterMs <= 4000, `${refused.retryAfterMs} ms`)
  assert.equal(refused.retryAfterS, Math.ceil(refused.retryAfterMs / 1000))
  assert.equal(await room.metric('weir_queue_refusals_total{tier="low",reason="queue-full"}'), 1)
  await sleep(refused.retryAfterMs)
  // Others are there as well by then, as many as before.
  asked.push(...Array.from({ length: 2 }, () => room.ask(key, 'others')))
  assert.equal((await room.ask(key, 'comes again')).status, 200)
  for (const answer of asked) assert.equal((await answer).status, 200)
})

test('who waits in vain is told 503 after what its tier may wait, and 504 after its own time', async t => {
  const room = await openWaitingRoom(t, { slots: 1, tiers: { low: { queueWait: '500ms' }, high: {} } })
  const [hasty, patient] = [await room.caller('hasty', 'low'), await room.caller('patient', 'high')]
  const first = room.ask(patient, 'running')
  const running = await room.served.take()
  const startedMs = performance.now()
  const late = await room.ask(hasty, 'waits')
  assert.ok(performance.now() - startedMs >= 450)
  assert.deepEqual([late.status, late.code], [503, 'server_is_overloaded'])
  assert.ok(late.retryAfterMs > 0 && late.retryAfterS === Math.ceil(late.retryAfterMs / 1000))
  for (const key of [hasty, patient]) {
    const { status, code } = await room.ask(key, 'waits', { timeoutMs: 200 })
    assert.deepEqual([status, code], [504, 'upstream_timeout'])
  }
  assert.equal(await room.metric('weir_queue_refusals_total{tier="low",reason="queue-timeout"}'), 2)
  running.finish()
  assert.equal((await first).status, 200)
  assert.equal(room.fleet.inferences().length, 1)
  await room.waiting(0)
})
