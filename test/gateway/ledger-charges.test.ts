import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { diesAfter, errorAnswer, inTurn, stallsAfter } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Behaviour } from '../support/exchange.ts'
import { startFleet } from '../support/fleet.ts'
import { ask, question, streamQuestion } from '../support/inference.ts'
import { anyEvent } from '../support/usage.ts'

const model = { prices: [{ from: '2026-01-01', input: '10.00', output: '50.00' }] }

async function start(t: TestContext, behaviours: readonly Behaviour[], routing: object = { maxAttempts: 1 }) {
  const fleet = await startFleet(t, behaviours, { model, more: { routing } })
  let seen = 0
  const nextEvent = async (): Promise<UsageEvent> => {
    const find = async () => {
      const found = await listUsageEvents(fleet.gateway.app.sql, anyEvent, { limit: 10, before: null })
      return found.length > seen ? found[0] : undefined
    }
    const event = await eventually('its event', find)
    assert.ok(event)
    seen += 1
    return event
  }
  return { ...fleet, nextEvent }
}

const nobody = { backend: null, target: null, answeredModel: null }
const onFirst = { backend: 'b0', target: 'tinychat', answeredModel: 'tinychat' }

function pick(event: UsageEvent) {
  const { status, error, inputTokens, outputTokens, costNanoUsd, backend, target, answeredModel } = event
  return { status, error, inputTokens, outputTokens, costNanoUsd, backend, target, answeredModel }
}
const free = { inputTokens: 0, outputTokens: 0, costNanoUsd: 0 }

test('what failed before its caller had anything of it costs nothing and names nobody', async t => {
  const { gateway, backends, inferences, nextEvent } = await start(t, [llamaServer({ chat: diesAfter(5, 'reset') })])
  await t.test('half an answer that was to be one piece', async () => {
    const answer = await (await ask(t, gateway, question)).response()
    assert.equal(answer.status, 502)
    const event = await nextEvent()
    assert.deepEqual(pick(event), { ...free, ...nobody, status: 'error', error: 'reset' })
    assert.deepEqual(event.attempts, [{ backend: 'b0', model: 'tinychat', fault: 'reset' }])
    assert.deepEqual([event.backendMs, event.firstTokenMs], [0, null])
  })

  await t.test('half a stream was given, and is charged to where it came from', async () => {
    await (await ask(t, gateway, streamQuestion)).response()
    const event = await nextEvent()
    assert.deepEqual([event.status, event.error, event.outputTokens], ['partial', 'reset', 5])
    assert.ok(event.costNanoUsd > 0 && event.backend === 'b0' && event.answeredModel === 'tinychat')
  })

  await t.test('half an answer that a stopping server gives up', async () => {
    backends[0]?.use(llamaServer({ chat: stallsAfter(5) }))
    const client = await ask(t, gateway, question)
    await eventually('it has begun', () => inferences()[2]?.eventsSent === 5)
    gateway.app.backends.stopAll()
    assert.equal((await client.response()).status, 503)
    assert.deepEqual(pick(await nextEvent()), { ...free, ...nobody, status: 'error', error: 'shutdown' })
  })
})

test('who leaves pays for what was generated, and whatever costs names who did it', async t => {
  const { gateway, backends, inferences, nextEvent } = await start(t, [llamaServer({ chat: stallsAfter(5) })])
  const leave = async (body: object, events: number) => {
    const before = inferences().length
    const client = await ask(t, gateway, body)
    await eventually('it has begun', () => inferences()[before]?.eventsSent === events)
    // What the backend has sent is at the gateway once this has been there and back.
    await gateway.fetch(`${gateway.url}/health/live`)
    client.destroy()
    return await nextEvent()
  }
  await t.test('an answer in one piece', async () => {
    const event = await leave(question, 5)
    assert.ok(event.costNanoUsd > 0)
    const { inputTokens, costNanoUsd } = event
    const expected = { ...onFirst, inputTokens, costNanoUsd, outputTokens: 5, status: 'client_cancel' }
    assert.deepEqual(pick(event), { ...expected, error: 'client-gone' })
  })

  await t.test('before the first token the prompt counts', async () => {
    backends[0]?.use(llamaServer({ answer: { headersAfterMs: 60_000 } }))
    for (const body of [question, streamQuestion]) {
      const event = await leave(body, 0)
      assert.ok(event.costNanoUsd > 0)
      const { inputTokens, costNanoUsd } = event
      const expected = { ...onFirst, inputTokens, costNanoUsd, outputTokens: 0, status: 'client_cancel' }
      assert.deepEqual(pick(event), { ...expected, error: 'client-gone' })
    }
  })
})

test('who leaves between two attempts pays for none: the first has failed, the second did not begin', async t => {
  const busy = errorAnswer(503, { error: { message: 'no' } }, [['Retry-After', '3']])
  const { gateway, inferences, nextEvent } = await start(t, [llamaServer({ chat: busy })], { maxAttempts: 3 })
  const client = await ask(t, gateway, question)
  await eventually('it has been turned away', async () => inferences()[0]?.isOpen === false)
  client.destroy()
  const event = await nextEvent()
  assert.deepEqual(pick(event), { ...free, ...nobody, status: 'client_cancel', error: 'client-gone' })
  assert.deepEqual(event.attempts, [{ backend: 'b0', model: 'tinychat', fault: 'busy' }])
})

test('R09 after a 503 another backend answers: two attempts, one of them is charged', async t => {
  // Whichever is asked first; which one that is is chance.
  const answers = inTurn(errorAnswer(503, { error: { message: 'no' } }), chat())
  const behaviour = llamaServer({ chat: answers })
  const { gateway, inferences, nextEvent } = await start(t, [behaviour, behaviour], {})
  assert.equal((await (await ask(t, gateway, question)).response()).status, 200)
  const event = await nextEvent()
  const second = event.backend ?? ''
  const first = second === 'b0' ? 'b1' : 'b0'
  assert.deepEqual(event.attempts, [
    { backend: first, model: 'tinychat', fault: 'busy' },
    { backend: second, model: 'tinychat', fault: null },
  ])
  assert.deepEqual([inferences(0).length, inferences(1).length], [1, 1])
  const { backend: _, costNanoUsd, ...known } = pick(event)
  const used = { inputTokens: 16, outputTokens: 7 }
  assert.deepEqual(known, { ...used, status: 'ok', error: null, target: 'tinychat', answeredModel: 'tinychat' })
  // 16 tokens at 10 USD and 7 at 50 USD a million, once.
  assert.equal(costNanoUsd, 510_000)
})
