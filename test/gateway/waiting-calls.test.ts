import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { errorAnswer, hangsUp, neverAnswers } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { startFleet } from '../support/fleet.ts'
import { ask, question } from '../support/inference.ts'
import { makeKey } from '../support/keys.ts'

test('whoever waits has a backend as soon as the pause of its breaker is over, though nobody else comes', async t => {
  const breaker = { window: 1, least: 1, pause: '100ms', maxPause: '100ms' }
  const fleet = await startFleet(t, [llamaServer({ chat: hangsUp('reset') }), llamaServer({ chat: neverAnswers() })], {
    slots: 1,
    backend: { breaker },
    more: { routing: { maxAttempts: 1 } },
    models: Object.fromEntries(
      ['b0', 'b1'].map(backend => [`on-${backend}`, { targets: [{ backend, model: 'tinychat' }] }]),
    ),
  })
  await ask(t, fleet.gateway, { ...question, model: 'on-b1' })
  await fleet.backends[1]?.nextRequest('/v1/chat/completions')
  for (let times = 0; times < 3; times++) {
    fleet.backends[0]?.use(llamaServer({ chat: hangsUp('reset') }))
    const opening = await (await ask(t, fleet.gateway, { ...question, model: 'on-b0' })).response()
    assert.equal(opening.status, 502)
    fleet.backends[0]?.use(llamaServer())
    assert.equal((await (await ask(t, fleet.gateway, question)).response()).status, 200)
  }
})

/** Busy, and for so many seconds. */
const busyFor = (seconds: number) =>
  llamaServer({
    chat: errorAnswer(503, { error: { message: 'busy', type: 'unavailable_error', code: 503 } }, [
      ['Retry-After', String(seconds)],
    ]),
  })

test('a backend that wants to be left alone for long is not waited for: its caller is told when to come again', async t => {
  const { gateway, inferences } = await startFleet(t, [busyFor(600), busyFor(900)])
  const { status, header } = await (await ask(t, gateway, question)).response()
  assert.deepEqual([status, header('retry-after'), header('x-should-retry')], [503, '600', 'false'])
  assert.equal(inferences().length, 2)
})

test('each backend is left alone until its own time has come', async t => {
  const targets = [{ backend: 'b0', weight: 1000 }, { backend: 'b1' }]
  const fleet = await startFleet(t, [busyFor(30), busyFor(1)], {
    model: { targets },
    more: { routing: { maxAttempts: 4 } },
  })
  const { status, header } = await (await ask(t, fleet.gateway, question)).response()
  assert.deepEqual([status, header('retry-after')], [503, '1'])
  assert.equal(fleet.inferences(0).length, 1)
  assert.ok(fleet.inferences(1).length > 1)
})

test('one that does not answer its probes has the calls that no other takes, also those that waited', async t => {
  const mute = llamaServer()
  const fleet = await startFleet(
    t,
    [
      llamaServer({ chat: neverAnswers() }),
      exchange => (exchange.request.path === '/v1/models' ? exchange.reset() : mute(exchange)),
    ],
    { slots: 1, backend: { discover: true } },
  )
  const admin = adminOf(fleet.gateway)
  await eventually(
    'b1 seems to be down',
    async () => (await admin.get<{ state: string }>('GET', '/backends/b1')).state === 'down',
  )
  await ask(t, fleet.gateway, question)
  await fleet.backends[0]?.nextRequest('/v1/chat/completions')
  const waiting = await ask(t, fleet.gateway, question)
  await eventually('it waits', async () => (await admin.get<{ waiting: number }>('GET', '/backends/b0')).waiting === 1)
  await admin.get('PATCH', '/backends/b0', { drained: true })
  assert.equal((await waiting.response()).status, 200)
  assert.equal((await (await ask(t, fleet.gateway, question)).response()).status, 200)
  assert.equal(fleet.inferences(1).length, 2)
})

test('a call waits no longer than its tier lets it, in all its queues together', async t => {
  const silent = llamaServer({ chat: neverAnswers() })
  const { gateway, backends } = await startFleet(t, [silent, silent], {
    slots: 1,
    model: { targets: [{ backend: 'b0' }], fallback: 'other' },
    models: { other: { targets: [{ backend: 'b1', model: 'tinychat' }] } },
    more: { tiers: { hasty: { queueWait: '300ms' } } },
  })
  for (const [index, model] of ['tinychat', 'other'].entries()) {
    await ask(t, gateway, { ...question, model })
    await backends[index]?.nextRequest('/v1/chat/completions')
  }
  const apiKey = await makeKey(gateway.app, { account: 'hasty', tier: 'hasty', name: 'hasty' })
  await assert.rejects(
    async () => gateway.openai.withOptions({ apiKey, maxRetries: 0 }).chat.completions.create(question),
    /503 Model 'tinychat' had no slot free/,
  )
  // It stood in one queue, and asked in the other one for a free slot.
  const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
  const joined = metrics.split('\n').find(line => line.startsWith('weir_queue_position_count{tier="hasty"}'))
  assert.match(joined ?? '', / 1$/)
})
