import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { outcomeOf } from '../../../src/backend/call.ts'
import { settlementOf } from '../../../src/domain/settlement.ts'
import { listUsageEvents } from '../../../src/store/usage-listing.ts'
import { errorAnswer, hangsUp, stallsAfter } from '../../support/behaviours.ts'
import { type CalledGateway, calledGateway } from '../../support/called.ts'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { ask, chatChunk, question, streamQuestion } from '../../support/inference.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'
import { anyEvent } from '../../support/usage.ts'

const reserved = { inputTokens: 500, outputTokens: 100 }
const unused = {
  requests: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: null,
  outputTokens: 0,
  isEstimate: false,
}
const onlyRequest = { ...unused, requests: 1 }
const estimate = (outputTokens: number) => ({ ...onlyRequest, inputTokens: 500, outputTokens, isEstimate: true })

interface Scene {
  readonly gateway: CalledGateway
  readonly backend: ScriptedBackend
}

async function scene(t: TestContext, engine: 'llama-server' | 'vllm' = 'llama-server'): Promise<Scene> {
  const backend = await startScriptedBackend(t)
  return { backend, gateway: await calledGateway(t, backend, { engine }) }
}

/** And its row in the ledger, of which there is one, says the same. */
async function settled({ gateway }: Scene) {
  const count = gateway.calls.length
  const record = await gateway.recordOf(count)
  const settlement = settlementOf(outcomeOf(record), reserved)
  const rows = () => listUsageEvents(gateway.app.sql, anyEvent, { limit: 100, before: null })
  await eventually(`${count} rows`, async () => (await rows()).length >= count)
  const all = await rows()
  assert.equal(all.length, count)
  const row = all[0]
  assert.deepEqual([row?.outputTokens, row?.isEstimate], [settlement.outputTokens, settlement.isEstimate])
  if (!settlement.isEstimate) assert.equal(row?.inputTokens, settlement.inputTokens)
  return { record, settlement }
}

/** Asks, and waits until the backend has heard of it. */
async function open(t: TestContext, { gateway, backend }: Scene, body: object) {
  const client = await ask(t, gateway, body)
  return { client, exchange: await backend.nextRequest('/v1/chat/completions') }
}

/** Reads content until `chunks` of it have come, and leaves. */
async function leaveAfter(t: TestContext, here: Scene, chunks: number, body: object = streamQuestion) {
  const { client, exchange } = await open(t, here, body)
  await client.head()
  let seen = 0
  for await (const { data } of client.events()) {
    if (data?.includes('word') === true) seen += 1
    if (seen === chunks) break
  }
  client.destroy()
  return exchange
}

test('what was used of a backend that reports at the end', async t => {
  const here = await scene(t)
  await t.test('S02 a caller who leaves has used what the backend had sent', async () => {
    here.backend.use(llamaServer({ answer: { tokens: 500, everyMs: 2 } }))
    for (const chunks of [1, 2, 20]) {
      const exchange = await leaveAfter(t, here, chunks)
      await exchange.closed
      const { settlement } = await settled(here)
      const { outputTokens } = settlement
      const sent = exchange.eventsSent
      assert.ok(
        outputTokens >= chunks && outputTokens <= sent && outputTokens >= sent - 1,
        `${outputTokens} of ${sent}`,
      )
      assert.deepEqual(settlement, estimate(outputTokens))
    }
  })

  await t.test('S02 as many pieces as were sent, exactly, where the backend has come to rest', async () => {
    here.backend.use(llamaServer({ chat: stallsAfter(50) }))
    await leaveAfter(t, here, 50)
    assert.deepEqual((await settled(here)).settlement, estimate(50))
    // Several choices: each event is a piece of one of them.
    const choice = (index: number) => ({ ...chatChunk(' word'), choices: [{ index, delta: { content: ' word' } }] })
    const chat: Behaviour = async exchange => {
      await exchange.stream()
      await exchange.events([choice(0), choice(1), choice(1)])
      await exchange.stall()
    }
    here.backend.use(llamaServer({ chat }))
    await leaveAfter(t, here, 3, { ...streamQuestion, n: 2 })
    assert.deepEqual((await settled(here)).settlement, estimate(3))
  })

  await t.test('S02 where one of several choices has reported, what is known of all counts', async () => {
    const piece = (index: number, more: object = {}) => ({
      ...chatChunk(' word'),
      choices: [{ index, delta: { content: ' word' }, finish_reason: null }],
      ...more,
    })
    const usage = { prompt_tokens: 16, completion_tokens: 1, total_tokens: 17 }
    const chat: Behaviour = async exchange => {
      await exchange.stream()
      await exchange.events([piece(0, { usage }), ...Array.from({ length: 9 }, () => piece(1))])
      await exchange.stall()
    }
    here.backend.use(llamaServer({ chat }))
    await leaveAfter(t, here, 10, { ...streamQuestion, n: 2 })
    assert.deepEqual((await settled(here)).settlement, estimate(10))
  })

  for (const body of [streamQuestion, question]) {
    const kind = 'stream' in body ? 'a stream' : 'one piece'
    await t.test(`${kind}: what came of it, before content and without`, async () => {
      const { gateway, backend } = here
      const answered = async (behaviour: Behaviour) => {
        backend.use(behaviour)
        const { client } = await open(t, here, body)
        await client.head()
        client.destroy()
        return await settled(here)
      }

      backend.use(llamaServer({ answer: { firstTokenAfterMs: 60_000 } }))
      const { client } = await open(t, here, body)
      client.destroy()
      assert.deepEqual((await settled(here)).settlement, estimate(0), 'the caller left before the first chunk')

      const failure = errorAnswer(500, { error: { message: 'out of memory', type: 'server_error' } })
      assert.deepEqual((await answered(llamaServer({ chat: failure }))).settlement, onlyRequest, '500')
      assert.deepEqual((await answered(llamaServer({ chat: hangsUp() }))).settlement, onlyRequest, 'connection lost')

      backend.use(llamaServer({ answer: { tokens: 7, cachedTokens: 3 } }))
      await (await open(t, here, body)).client.response()
      const { record, settlement } = await settled(here)
      const reported = { inputTokens: 16, cachedInputTokens: 3, outputTokens: 7 }
      assert.deepEqual(settlement, { ...onlyRequest, ...reported })
      const { sentAt = Number.NaN, endedAt = null, pieces } = record.dispatch ?? {}
      assert.equal(pieces, 7)
      assert.ok(record.firstContentAt !== null && sentAt <= record.firstContentAt)
      assert.ok(endedAt !== null && endedAt >= record.firstContentAt && endedAt <= performance.now())

      await backend.stop()
      await (await ask(t, gateway, body)).head()
      await backend.start()
      const refused = await settled(here)
      assert.equal(refused.record.fault?.kind, 'connect')
      assert.equal(refused.record.dispatch, undefined)
      assert.deepEqual(refused.settlement, unused, 'connection refused')
    })
  }
})

test('what was used of a backend that may report as it goes', async t => {
  const here = await scene(t, 'vllm')
  await t.test('S03 a usage of 0 is 0, whatever came, also where the caller leaves then', async () => {
    const reports = { promptTokens: 0, outputTokens: 0 }
    const answer = { tokens: 5, usageInEachEvent: true, reports, breaksAfter: 5, breaksBy: 'stall' as const }
    here.backend.use(vllmServer({ answer }))
    await leaveAfter(t, here, 5)
    const { record, settlement } = await settled(here)
    assert.equal(record.dispatch?.pieces, 5)
    assert.deepEqual(settlement, onlyRequest)
  })

  await t.test('the last usage of a stream that was cut counts, where the engine reports as it goes', async () => {
    here.backend.use(vllmServer({ answer: { tokens: 5, usageInEachEvent: true, breaksAfter: 5, breaksBy: 'stall' } }))
    await leaveAfter(t, here, 5)
    assert.deepEqual((await settled(here)).settlement, { ...onlyRequest, inputTokens: 16, outputTokens: 5 })
  })

  await t.test('an answer in one piece without usage is an estimate of one token a choice', async () => {
    const answer = { choices: [{ index: 0, message: { role: 'assistant', content: 'word' }, finish_reason: 'stop' }] }
    here.backend.use(vllmServer({ chat: exchange => exchange.json(200, answer) }))
    await (await open(t, here, question)).client.response()
    assert.deepEqual((await settled(here)).settlement, estimate(1))
  })
})
