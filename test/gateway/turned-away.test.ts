import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { errorAnswer, loading } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import { startFleet, type TestFleet } from '../support/fleet.ts'
import { ask, question } from '../support/inference.ts'

const healthy = llamaServer()
const slowDown = errorAnswer(429, { error: { message: 'slow down' } }, [['Retry-After', '20']])
/** Its probes find nothing wrong with it. */
const busy = llamaServer({ chat: slowDown })

async function statusOf(t: TestContext, { gateway }: TestFleet): Promise<number> {
  return (await (await ask(t, gateway, question)).response()).status
}

for (const [name, behaviour] of Object.entries({ 'loads its model': loading(), 'says 429': busy })) {
  test(`a backend that ${name} is passed over: the other one answers every call`, async t => {
    const fleet = await startFleet(t, [healthy, healthy])
    const [first] = fleet.backends
    first?.use(behaviour)
    for (let times = 0; times < 30; times += 1) assert.equal(await statusOf(t, fleet), 200)
    assert.equal(fleet.inferences(1).length, 30)
    assert.ok(fleet.inferences(0).length <= 1, `asked ${fleet.inferences(0).length} times`)
  })
}

test('calls that are turned away at the same time all reach the other backend, whatever the retry budget', async t => {
  const [all, atOnce] = [Promise.withResolvers<void>(), 8]
  let asked = 0
  const held = (then: Behaviour): Behaviour => {
    return async exchange => {
      await Promise.race([all.promise, exchange.closed])
      await then(exchange)
    }
  }
  const turnsAway: Behaviour = exchange => {
    asked += 1
    if (asked === atOnce) all.resolve()
    return held(slowDown)(exchange)
  }
  const behaviours = [llamaServer({ chat: turnsAway }), llamaServer({ chat: held(chat()) })]
  const fleet = await startFleet(t, behaviours, { slots: 30 })
  const statuses = await Promise.all(Array.from({ length: 30 }, () => statusOf(t, fleet)))
  assert.deepEqual(new Set(statuses), new Set([200]))
  assert.ok(asked >= atOnce, 'more than could be tried again')
})

test('where all turn calls away, the retry budget holds', async t => {
  const fleet = await startFleet(t, [busy, busy], { slots: 100, more: { routing: { maxAttempts: 2 } } })
  assert.equal(await statusOf(t, fleet), 503)
  const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(t, fleet)))
  assert.deepEqual(new Set(statuses), new Set([503]))
  assert.ok(fleet.inferences().length <= 2 + 20 * 1.2 + 3, `${fleet.inferences().length} for 21 calls`)
})

test('one that turned a call away is not passed over where no other one takes calls', async t => {
  const fleet = await startFleet(t, [busy, healthy])
  const [first] = fleet.backends
  while (fleet.inferences(0).length === 0) assert.equal(await statusOf(t, fleet), 200)
  first?.use(healthy)
  await adminOf(fleet.gateway).get('PATCH', '/backends/b1', { drained: true })
  const atOther = fleet.inferences(1).length
  assert.equal(await statusOf(t, fleet), 200)
  assert.equal(fleet.inferences(1).length, atOther)
})
