import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { replay } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer, ollamaServer, openaiServer, vllmServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import {
  ask,
  chatChunk,
  gatewayBefore,
  type Json,
  type OneBackend,
  question,
  readStream,
  requestLine,
  streamQuestion,
} from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const withUsage = { ...streamQuestion, stream_options: { include_usage: true } }
const engines = { 'llama-server': llamaServer, vllm: vllmServer, ollama: ollamaServer, openai: openaiServer }

async function streamThrough(
  t: TestContext,
  behaviour: Behaviour,
  body: Json,
  options: OneBackend & { path?: string } = {},
) {
  const backend = await startScriptedBackend(t, behaviour)
  const gateway = await gatewayBefore(t, backend, options)
  const seen = await readStream(await ask(t, gateway, body, options.path))
  assert.ok(seen.isDone)
  return { ...seen, line: await requestLine(gateway), backend, gateway }
}

for (const [engine, server] of Object.entries(engines)) {
  test(`usage of ${engine}: not asked for it stays here, asked for it is one event, the last`, async t => {
    const backend = await startScriptedBackend(t)
    const gateway = await gatewayBefore(t, backend, { engine: engine as keyof typeof engines })
    let asked = 0
    for (const usageInEachEvent of [false, true]) {
      backend.use(server({ answer: { tokens: 3, cachedTokens: 4, usageInEachEvent } }))
      const without = await readStream(await ask(t, gateway))
      for (const event of without.events) {
        assert.ok(!('usage' in event) && !('timings' in event))
        assert.equal((event['choices'] as unknown[]).length, 1)
      }
      const { events } = await readStream(await ask(t, gateway, withUsage))
      const last = events.at(-1)
      assert.deepEqual(last?.['choices'], [])
      assert.deepEqual(last?.['usage'], {
        prompt_tokens: 16,
        completion_tokens: 3,
        total_tokens: 19,
        prompt_tokens_details: { cached_tokens: engine === 'ollama' ? 0 : 4 },
      })
      assert.equal(last?.['id'], events[0]?.['id'])
      assert.equal(last?.['object'], 'chat.completion.chunk')
      assert.equal(events.filter(event => 'usage' in event).length, 1)
      for (let n = 0; n < 2; n += 1) {
        asked += 1
        const line = await requestLine(gateway, asked)
        assert.deepEqual([line['outcome'], line['status']], ['ok', 200])
        assert.deepEqual([line['inputTokens'], line['outputTokens']], [16, 3])
      }
    }
  })
}

test('usage of several streamed choices is one event, summed, where llama-server sends one for each', async t => {
  const { events } = await streamThrough(t, llamaServer({ chat: replay('035-chat-n2-stream') }), { ...withUsage, n: 2 })
  const usages = events.filter(event => 'usage' in event).map(event => event['usage'] as Json)
  assert.deepEqual(
    usages.map(usage => [usage['prompt_tokens'], usage['completion_tokens']]),
    [[14, 6]],
  )
})

test('usage of a list of prompts is summed: each prompt once, every answer', async t => {
  const usage = (prompt: number, output: number) => ({
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
  })
  const piece = (index: number, text: string, finish: string | null, more: object = {}) => ({
    choices: [{ text, index, logprobs: null, finish_reason: finish }],
    id: 'chatcmpl-1',
    model: 'tinychat',
    object: 'text_completion',
    ...more,
  })
  // Two prompts with two answers each, of 1, 2, 3 and 4 tokens; the prompts have 5 and 7.
  const completions: Behaviour = async exchange => {
    await exchange.stream()
    for (const index of [3, 1, 0, 2]) {
      await exchange.event(piece(index, `answer ${index}`, null))
      await exchange.control(piece(index, '', 'stop', { usage: usage(index < 2 ? 5 : 7, index + 1) }))
    }
    await exchange.done()
    await exchange.end({ close: true })
  }
  const body = { model: 'tinychat', prompt: ['a', 'b'], n: 2 }
  const path = '/v1/completions'
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } }
  const { events, gateway } = await streamThrough(t, llamaServer({ completions }), streamed, { path })
  const whole = JSON.parse((await (await ask(t, gateway, body, path)).response()).text) as Json
  for (const reply of [events.at(-1) ?? {}, whole]) {
    const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = reply['usage'] as Json
    assert.deepEqual([input, output, total], [12, 10, 22])
  }
  assert.deepEqual(
    (whole['choices'] as Json[]).map(choice => choice['text']),
    ['answer 0', 'answer 1', 'answer 2', 'answer 3'],
  )
  const line = await requestLine(gateway, 2)
  assert.deepEqual([line['inputTokens'], line['outputTokens']], [12, 10])
})

test('usage from the timings, where nothing else is said', async t => {
  const { line } = await streamThrough(t, llamaServer({ chat: replay('021-chat-stream') }), streamQuestion)
  assert.deepEqual([line['inputTokens'], line['outputTokens']], [16, 8])
})

test('usage that came before a stream broke is in the log', async t => {
  const backend = await startScriptedBackend(
    t,
    vllmServer({ chat: chat({ tokens: 5, usageInEachEvent: true, breaksAfter: 5, breaksBy: 'reset', everyMs: 5 }) }),
  )
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  assert.equal((await readStream(await ask(t, gateway))).isDone, false)
  const line = await requestLine(gateway)
  assert.equal(line['inputTokens'], 16)
  assert.ok(Number(line['outputTokens']) >= 3)
})

test('promptCache: account keeps from a caller what others have asked', async t => {
  const model = { promptCache: 'account' }
  const answer = { tokens: 3, cachedTokens: 12 }
  for (const [engine, server] of Object.entries(engines)) {
    const options: OneBackend = { engine: engine as keyof typeof engines, model }
    const { events, gateway, backend } = await streamThrough(t, server({ answer }), withUsage, options)
    const whole = JSON.parse((await (await ask(t, gateway, question)).response()).text) as Json
    for (const reply of [events.at(-1), whole]) {
      assert.deepEqual(reply?.['usage'], { prompt_tokens: 16, completion_tokens: 3, total_tokens: 19 })
    }
    const sent = backend.exchangesTo('/v1/chat/completions').map(({ request }) => request.json as Json)
    for (const body of sent) {
      assert.equal(body['cache_prompt'], engine === 'llama-server' ? false : undefined)
      assert.equal(typeof body['cache_salt'], engine === 'vllm' ? 'string' : 'undefined')
    }
  }
})

test('the name that was asked for stands in every event, whatever the backend calls the model', async t => {
  const behaviour = llamaServer({
    model: 'tiny-q4.gguf',
    chat: async exchange => {
      await exchange.stream()
      const named = (text: string, model: unknown) => ({ ...chatChunk(text), model })
      await exchange.events([named('a', 'tiny-q4.gguf'), named('"model":"tiny-q4.gguf"', 'tiny-q4.gguf')])
      await exchange.events([named('b', 'another'), named('c', 'tiny-q4.gguf'), named('d', '')])
      await exchange.control({ ...chatChunk('', 'stop'), model: 'tiny-q4.gguf' })
      await exchange.done()
      await exchange.end({ close: true })
    },
  })
  const options: OneBackend = { targetModel: 'tiny-q4.gguf', model: { aliases: ['small'] } }
  for (const model of ['tinychat', 'small']) {
    const { events, text, backend } = await streamThrough(t, behaviour, { ...streamQuestion, model }, options)
    assert.equal(text, 'a"model":"tiny-q4.gguf"bcd')
    assert.deepEqual([...new Set(events.map(event => event['model']))], [model])
    assert.deepEqual(
      backend.exchangesTo('/v1/chat/completions').map(({ request }) => (request.json as Json)['model']),
      ['tiny-q4.gguf'],
    )
  }
})
