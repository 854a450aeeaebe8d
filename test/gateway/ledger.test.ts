import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { errorAnswer, hangsUp } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { type Limited, settledAt, startLimited } from '../support/limited.ts'
import { connectRaw } from '../support/raw-client.ts'

const question = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }] }
const dayMs = 86_400_000

/** All events of the ledger, oldest first, once there are as many. */
async function eventsOf({ gateway }: Limited, count: number): Promise<readonly UsageEvent[]> {
  let found: readonly UsageEvent[] = []
  await eventually(`${count} events`, async () => {
    const range = { fromMs: Date.now() - dayMs, untilMs: Date.now() + dayMs }
    const filter = { range, accountId: null, keyId: null, model: null, status: null }
    found = await listUsageEvents(gateway.app.sql, filter, { limit: 100, before: null })
    return found.length >= count
  })
  assert.equal(found.length, count)
  return found.toReversed()
}

const start = (t: TestContext) =>
  startLimited(t, {
    tiers: {
      free: { limits: { requestsPerDay: 100 }, maxTokens: { default: 50 }, spendLimits: { perDay: '1' } },
      none: { limits: { requestsPerDay: 0 } },
    },
    // Each failure is to be seen.
    more: { routing: { maxAttempts: 1 } },
    model: { prices: [{ from: '2026-01-01', input: '10.00', output: '50.00' }] },
  })

test('every request that was let in is one event: what it used and cost, where it ran, how it ended', async t => {
  const world = await start(t)
  const { backend } = world
  const caller = await world.caller()

  await t.test('a whole answer', async () => {
    const answer = await caller.chat()
    const [event] = await eventsOf(world, 1)
    assert.ok(event)
    const { id, atMs, accountId, priceVersion, backendMs, queueMs, firstTokenMs, totalMs, ...known } = event
    assert.deepEqual(known, {
      requestId: answer.headers.get('x-request-id'),
      keyId: caller.key.slice('sk-weir-'.length, 'sk-weir-'.length + 16),
      tier: 'free',
      model: 'tinychat',
      endpoint: 'chat',
      isStream: false,
      attempts: [{ backend: 'main', model: 'tinychat', fault: null }],
      answeredModel: 'tinychat',
      backend: 'main',
      target: 'tinychat',
      experiment: null,
      arm: null,
      inputTokens: 16,
      cachedInputTokens: 0,
      outputTokens: 7,
      reasoningTokens: null,
      isEstimate: false,
      // 16 tokens at 10 USD and 7 at 50 USD a million.
      costNanoUsd: 510_000,
      status: 'ok',
      error: null,
    })
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    assert.ok(Math.abs(atMs - Date.now()) < 60_000)
    assert.match(accountId, /^[0-9a-f-]{36}$/)
    assert.match(priceVersion ?? '', /^2026-01-01-[0-9a-f]{16}$/)
    assert.ok(backendMs > 0 && backendMs <= totalMs && queueMs >= 0 && queueMs <= totalMs)
    assert.ok(firstTokenMs !== null && firstTokenMs <= totalMs)
    // The same amount as was counted against its limits.
    await settledAt(caller, 'spend_per_day', '0.00051')
  })

  await t.test('one whose caller leaves is charged what had come', async () => {
    backend.use(llamaServer({ chat: chat({ tokens: 500, everyMs: 5 }) }))
    const stream = await caller.openai.chat.completions.create({ ...question, stream: true })
    let chunks = 0
    for await (const _ of stream) if (++chunks === 10) break
    const event = (await eventsOf(world, 2))[1]
    assert.deepEqual([event?.status, event?.error, event?.isStream], ['client_cancel', 'client-gone', true])
    assert.ok((event?.outputTokens ?? 0) >= 8 && (event?.outputTokens ?? 0) < 50 && event?.isEstimate === true)
    assert.ok((event?.costNanoUsd ?? 0) > 0)
  })

  await t.test('one that broke off, one that failed, and one that nobody took', async () => {
    backend.use(llamaServer({ chat: chat({ tokens: 9, breaksAfter: 3, breaksBy: 'reset' }) }))
    await assert.rejects(async () => {
      for await (const _ of await caller.openai.chat.completions.create({ ...question, stream: true }));
    })
    const broken = (await eventsOf(world, 3))[2]
    assert.deepEqual([broken?.status, broken?.error, broken?.outputTokens], ['partial', 'reset', 3])

    backend.use(llamaServer({ chat: hangsUp('reset') }))
    assert.equal((await caller.chat()).status, 502)
    const failed = (await eventsOf(world, 4))[3]
    assert.deepEqual([failed?.status, failed?.error, failed?.costNanoUsd, failed?.backend], ['error', 'reset', 0, null])
    assert.deepEqual(failed?.attempts, [{ backend: 'main', model: 'tinychat', fault: 'reset' }])

    backend.use(llamaServer({ chat: errorAnswer(400, { error: { message: 'no' } }) }))
    assert.equal((await caller.chat()).status, 400)
    assert.deepEqual((await eventsOf(world, 5))[4]?.error, 'client')
    backend.use(llamaServer({ dimensions: 4 }))
  })

  await t.test('an embedding', async () => {
    await caller.openai.embeddings.create({ model: 'tinychat', input: 'a' })
    const event = (await eventsOf(world, 6))[5]
    assert.deepEqual([event?.endpoint, event?.status, event?.outputTokens], ['embeddings', 'ok', 0])
  })

  await t.test('what is refused before it is let in is none', async () => {
    assert.equal((await caller.chat({ model: 'none' })).status, 404)
    assert.equal((await caller.chat({ n_predict: 5 })).status, 400)
    assert.equal((await (await world.caller({ tier: 'none' })).chat()).status, 429)
    backend.use(llamaServer())
    await caller.chat()
    await eventsOf(world, 7)
  })

  await t.test('whoever leaves at once owes an event as well', async () => {
    const body = JSON.stringify(question)
    for (let n = 0; n < 40; n += 1) {
      const client = await connectRaw(t, world.gateway.url)
      client.request('POST', '/v1/chat/completions', {
        headers: { Authorization: `Bearer ${caller.key}`, 'Content-Type': 'application/json' },
        body,
      })
      // Into every step of the way.
      for (let turns = 0; turns < n % 8; turns += 1) await nextTurn()
      client.destroy()
    }
    await eventually('none is open', async () => {
      const text = await (await world.gateway.fetch(`${world.gateway.url}/metrics`)).text()
      return /^weir_ledger_open 0$/m.test(text) && /^weir_ledger_waiting 0$/m.test(text)
    })
  })

  await t.test('the metrics count them', async () => {
    const read = async () => (await world.gateway.fetch(`${world.gateway.url}/metrics`)).text()
    const stored = async () => Number(/^weir_ledger_events_total (\d+)$/m.exec(await read())?.[1])
    await eventually('all are stored', async () => (await stored()) >= 7)
    const text = await read()
    assert.match(text, /^weir_ledger_level 0$/m)
    assert.match(text, /^weir_ledger_waiting 0$/m)
    assert.match(text, /^weir_ledger_bytes \d+$/m)
  })
})
