import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { eventually } from '../support/eventually.ts'
import { anyEvent } from '../support/usage.ts'
import { openWaitingRoom } from '../support/waiting-room.ts'

/** One who is served until the test ends, and one behind who waits. */
async function startQueue(t: TestContext, tier: object) {
  const room = await openWaitingRoom(t, { slots: 1, tiers: { plain: tier, other: {} } })
  const first = room.ask(await room.caller('first', 'other'), 'first')
  const served = await room.served.take()
  const key = await room.caller('second', 'plain')
  const finish = async () => {
    served.finish()
    assert.equal((await first).status, 200)
  }
  return { ...room, key, finish }
}

type Queue = Awaited<ReturnType<typeof startQueue>>

/** The event that is no answer. */
async function failedEvent({ fleet }: Queue): Promise<UsageEvent> {
  let found: UsageEvent | undefined
  await eventually('its event', async () => {
    const events = await listUsageEvents(fleet.gateway.app.sql, anyEvent, { limit: 10, before: null })
    found = events.find(({ status }) => status !== 'ok')
    return found !== undefined
  })
  assert.ok(found)
  return found
}

/** In milliseconds, at least. */
const passed = (ms: number) => {
  const sinceMs = performance.now()
  return eventually(`${ms} ms pass`, () => performance.now() - sinceMs >= ms, { everyMs: 1 })
}

test('who leaves the queue has waited as long as it was there', async t => {
  const room = await startQueue(t, { queueWait: '60s' })
  const leaving = new AbortController()
  const asked = room.ask(room.key, 'second', { signal: leaving.signal })
  await room.waiting(1)
  await passed(25)
  leaving.abort()
  await assert.rejects(asked)
  const { status, error, attempts, queueMs, totalMs } = await failedEvent(room)
  assert.deepEqual({ status, error, attempts }, { status: 'client_cancel', error: 'client-gone', attempts: [] })
  assert.ok(queueMs >= 25 && queueMs <= totalMs, `it says ${queueMs} of ${totalMs}`)
  await room.finish()
})

test('whose wait is over without a place has waited as well', async t => {
  const room = await startQueue(t, { queueWait: '50ms' })
  const { status: answered } = await room.ask(room.key, 'second')
  assert.equal(answered, 503)
  const { status, error, queueMs, totalMs } = await failedEvent(room)
  assert.deepEqual({ status, error }, { status: 'error', error: 'busy' })
  assert.ok(queueMs >= 25 && queueMs <= totalMs, `it says ${queueMs} of ${totalMs}`)
  await room.finish()
})

test('whose backend is drained while it waits has waited as well', async t => {
  const room = await startQueue(t, { queueWait: '60s' })
  const asked = room.ask(room.key, 'second')
  await room.waiting(1)
  await passed(25)
  room.fleet.gateway.app.backends.drain('b0', true)
  assert.equal((await asked).status, 503)
  const { error, queueMs, totalMs } = await failedEvent(room)
  assert.equal(error, 'busy')
  assert.ok(queueMs >= 25 && queueMs <= totalMs, `it says ${queueMs} of ${totalMs}`)
  await room.finish()
})
