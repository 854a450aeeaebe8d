import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillsContext, readRecordedRequest, replay } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import { ask, gatewayBefore, type Json, question } from '../support/inference.ts'
import { recordedBody } from '../support/recording.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

interface Pair {
  /** The direct reply, and the stream to the same question. */
  readonly whole: string
  readonly stream: string
  readonly path?: string
  /** What the two recordings do not have in common, taken out of both. */
  readonly level?: (reply: Json) => void
}

type Choice = { message: Json & { tool_calls?: Json[] }; logprobs?: { content: { top_logprobs: unknown[] }[] } }
const choicesIn = (reply: Json) => reply['choices'] as Choice[]

const pairs: Record<string, Pair> = {
  'a text': { whole: '020-chat', stream: '021-chat-stream' },
  'a text cut by max_tokens': { whole: '023-chat-max1', stream: '024-chat-max1-stream' },
  'a tool call': {
    whole: '051-tools-required',
    stream: '052-tools-required-stream',
    level: reply => {
      for (const call of choicesIn(reply).flatMap(({ message }) => message.tool_calls ?? [])) delete call['id']
    },
  },
  logprobs: {
    whole: '039-chat-logprobs',
    stream: '040-chat-logprobs-stream',
    // The stream was asked for two alternatives, the other for three.
    level: reply => {
      for (const token of choicesIn(reply).flatMap(({ logprobs }) => logprobs?.content ?? []))
        token.top_logprobs.splice(2)
    },
  },
}

for (const [what, { whole, stream, level }] of Object.entries(pairs)) {
  test(`one piece through a llama-server is its direct reply: ${what}`, async t => {
    const backend = await startScriptedBackend(t, llamaServer({ chat: replay(stream) }))
    const gateway = await gatewayBefore(t, backend)
    const { stream: _stream, ...body } = readRecordedRequest(whole) as Json
    const answer = await (await ask(t, gateway, body)).response()
    assert.equal(answer.status, 200)
    assert.equal(answer.header('content-type'), 'application/json; charset=utf-8')
    const { request } = await backend.nextRequest('/v1/chat/completions')
    assert.equal((request.json as Json)['stream'], true, 'a caller who leaves is noticed only in a stream')
    const got = JSON.parse(answer.text) as Json
    const expected = JSON.parse(recordedBody(whole).toString('utf8')) as Json
    for (const reply of [got, expected]) {
      level?.(reply)
      for (const name of ['id', 'created', 'timings']) delete reply[name]
      // What was cached differs from one run to the next.
      delete (reply['usage'] as Json)['prompt_tokens_details']
    }
    assert.deepEqual(got, expected)
  })
}

async function answerOf(t: Parameters<typeof ask>[0], chat: Behaviour, body: Json, path?: string): Promise<Json> {
  const isChat = path === undefined
  const backend = await startScriptedBackend(t, llamaServer(isChat ? { chat } : { completions: chat }))
  const gateway = await gatewayBefore(t, backend)
  const answer = await (await ask(t, gateway, body, path)).response()
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text)
}

test('one piece: several choices in order, their usage summed', async t => {
  const reply = await answerOf(t, replay('035-chat-n2-stream'), { ...question, n: 2 })
  const choices = reply['choices'] as Json[]
  assert.deepEqual(
    choices.map(choice => choice['index']),
    [0, 1],
  )
  const usage = reply['usage'] as Json
  assert.deepEqual([usage['prompt_tokens'], usage['completion_tokens'], usage['total_tokens']], [14, 6, 20])
})

test('one piece: reasoning stands beside the content', async t => {
  const reply = await answerOf(t, replay('361-reasoning-stream'), question)
  const message = choicesIn(reply)[0]?.message
  assert.match(String(message?.['reasoning_content']), /I am tiny/)
  assert.doesNotMatch(String(message?.['content']), /I am tiny/)
})

test('one piece: a text completion', async t => {
  const reply = await answerOf(
    t,
    replay('141-completions-stream'),
    { model: 'tinychat', prompt: 'Once upon a time' },
    '/v1/completions',
  )
  assert.deepEqual(reply['choices'], [{ text: ' there was a', index: 0, logprobs: null, finish_reason: 'length' }])
  assert.equal(reply['object'], 'text_completion')
  const usage = reply['usage'] as Json
  assert.deepEqual([usage['prompt_tokens'], usage['completion_tokens'], usage['total_tokens']], [4, 3, 7])
})

test('one piece: a context that fills up while it answers is a 502 and not half an answer', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: fillsContext(5) }))
  const gateway = await gatewayBefore(t, backend)
  const answer = await (await ask(t, gateway, question)).response()
  assert.equal(answer.status, 502)
})

test('one piece: a server that is killed or told to stop is a 502', async t => {
  for (const recording of ['220-sigkill-mid-stream', '220-sigterm-mid-stream']) {
    const backend = await startScriptedBackend(t, llamaServer({ chat: replay(recording) }))
    const gateway = await gatewayBefore(t, backend)
    const answer = await (await ask(t, gateway, question)).response()
    assert.equal(answer.status, 502, recording)
  }
})
