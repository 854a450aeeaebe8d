import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import type { Served } from '../../support/waiting-room.ts'
import { openWaitingRoom } from '../../support/waiting-room.ts'

const rounds = 12
const leavers = 30
/** R06. */
const maxStartMs = 50

test('R06 of those who wait many leave, and the next one who is still there has the slot as soon as it is free', async t => {
  const room = await openWaitingRoom(t, { slots: 2, tiers: { plain: {} } })
  const key = await room.caller('someone', 'plain')
  const answers: Promise<{ status: number }>[] = []
  const ask = (tag: string) => answers.push(room.ask(key, tag))
  for (const tag of ['first', 'second']) ask(tag)
  const running: Served[] = [await room.served.take(), await room.served.take()]
  const lags: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const leave = new AbortController()
    const leaving = Array.from({ length: leavers }, (_, n) =>
      room.ask(key, `leaves ${round}-${n}`, { signal: leave.signal }),
    )
    const left = Promise.allSettled(leaving)
    await room.waiting(leavers)
    ask(`stays ${round}`)
    await room.waiting(leavers + 1)
    assert.equal(await room.metric('weir_queue_requests{tier="plain"}'), leavers + 1)
    const { in_flight, longest_wait_ms } = await room.view()
    assert.equal(in_flight, 2)
    assert.ok(longest_wait_ms > 0)
    leave.abort()
    const freeMs = performance.now()
    running.shift()?.finish()
    const next = await room.served.take()
    assert.equal(next.tag, `stays ${round}`)
    running.push(next)
    lags.push(next.atMs - freeMs)
    assert.ok((await left).every(({ status }) => status === 'rejected'))
    await room.waiting(0)
  }
  // What runs for the first time takes many times as long.
  const slowest = Math.max(...lags.slice(1))
  t.diagnostic(`the next one started after ${slowest.toFixed(1)} ms at most`)
  assert.ok(slowest <= maxStartMs, `${slowest} ms`)
  for (const { finish } of running) finish()
  for (const answer of answers) assert.equal((await answer).status, 200)
  assert.equal(room.fleet.inferences().length, rounds + 2, 'nobody who left has reached the backend')
  await eventually('nothing runs', async () => (await room.view()).in_flight === 0)
  const { waiting, longest_wait_ms } = await room.view()
  assert.deepEqual([waiting, longest_wait_ms], [0, 0])
  assert.equal(await room.metric('weir_queue_requests{tier="plain"}'), 0)
})
