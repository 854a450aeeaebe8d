import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import OpenAI from 'openai'
import {
  diesAfter,
  endlessError,
  inTurn,
  loading,
  neverAnswers,
  readRecordedRequest,
  replay,
  stallsAfter,
} from './behaviours.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { type CompletionOptions, chat } from './completion.ts'
import { llamaServer, ollamaServer, openaiServer, vllmServer } from './engines.ts'
import type { Behaviour } from './exchange.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'

const CHAT = '/v1/chat/completions'
const QUESTION = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] }

async function build(t: TestContext, behaviour?: Behaviour): Promise<{ backend: ScriptedBackend; sdk: OpenAI }> {
  const backend = await startScriptedBackend(t, behaviour)
  return { backend, sdk: new OpenAI({ baseURL: `${backend.url}/v1`, apiKey: 'k', maxRetries: 0 }) }
}

async function readStream(sdk: OpenAI, withUsage = true): Promise<OpenAI.ChatCompletionChunk[]> {
  const stream_options = { include_usage: withUsage }
  return await Array.fromAsync(await sdk.chat.completions.create({ ...QUESTION, stream: true, stream_options }))
}

test('a healthy llama-server answers, and the request is recorded as sent', async t => {
  const { backend, sdk } = await build(t)
  const answer = await sdk.chat.completions.create(QUESTION)
  assert.equal(answer.choices[0]?.message.content, 'The capital of France is Paris.')
  assert.equal(answer.usage?.completion_tokens, 7)
  const { request } = await backend.nextRequest(CHAT)
  assert.equal(request.method, 'POST')
  assert.equal(request.header('AUTHORIZATION'), 'Bearer k')
  assert.deepEqual(request.json, QUESTION)
  assert.deepEqual(backend.failures, [])
})

test("a stream has llama-server's shape: role with the first token, usage and timings with the last", async t => {
  const { backend, sdk } = await build(t, chat({ tokens: 3 }))
  const events = await readStream(sdk)
  assert.deepEqual(
    events.map(event => event.choices[0]?.delta.content),
    [null, ' word0', ' word1', ' word2', undefined, undefined],
  )
  assert.deepEqual(events.at(-1)?.choices, [])
  assert.equal(events.at(-1)?.usage?.completion_tokens, 3)
  assert.equal(backend.exchanges[0]?.eventsSent, 3)
  const { by, how, finished } = await backend.nextClose(CHAT)
  assert.deepEqual({ by, how, finished }, { by: 'backend', how: 'fin', finished: true })
})

test('a client that leaves in mid-stream is noticed at once, and what was sent by then is known', async t => {
  const { backend, sdk } = await build(t, chat({ tokens: 1_000, everyMs: 1 }))
  const stream = await sdk.chat.completions.create({ ...QUESTION, stream: true })
  let seen = 0
  for await (const _ of stream) if (++seen === 5) break
  const leftAtMs = performance.now()
  const closing = await backend.nextClose()
  assert.ok(closing.atMs - leftAtMs < 500)
  assert.deepEqual([closing.by, closing.finished], ['client', false])
  assert.ok(closing.exchange.eventsSent >= 4 && closing.exchange.eventsSent < 1_000)
  assert.equal(backend.sockets.open, 0)
})

test('a connection that breaks after k tokens has delivered k tokens', async t => {
  for (const by of ['fin', 'reset'] as const) {
    const { backend, sdk } = await build(t, diesAfter(5, by))
    const stream = await sdk.chat.completions.create({ ...QUESTION, stream: true })
    let content = ''
    await assert.rejects(async () => {
      for await (const event of stream) content += event.choices[0]?.delta.content ?? ''
    })
    assert.equal(content, ' word0 word1 word2 word3 word4')
    const closing = await backend.nextClose()
    assert.deepEqual([closing.by, closing.how], ['backend', by])
  }
})

test('a stalled stream and an unanswered request end with the client', async t => {
  for (const behaviour of [stallsAfter(2), neverAnswers()]) {
    const { backend, sdk } = await build(t, behaviour)
    const abort = new AbortController()
    const reading = sdk.chat.completions
      .create({ ...QUESTION, stream: true }, { signal: abort.signal })
      .then(stream => Array.fromAsync(stream))
    await backend.nextRequest()
    abort.abort()
    await reading.catch(() => undefined)
    assert.equal((await backend.nextClose()).by, 'client')
  }
})

test('an endless error stops where the client stops reading', async t => {
  const { backend } = await build(t, endlessError())
  const socket = connect(backend.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  const { exchange } = await backend.nextClose()
  assert.ok(exchange.bytesSent > 0)
})

test('behaviours in turn, changed in flight, and per call beside healthy probes', async t => {
  const { backend, sdk } = await build(t, llamaServer({ chat: inTurn(loading(), chat({ tokens: ['ok'] })) }))
  await assert.rejects(sdk.chat.completions.create(QUESTION), { status: 503 })
  assert.equal((await sdk.chat.completions.create(QUESTION)).choices[0]?.message.content, 'ok')
  assert.equal((await sdk.models.list()).data[0]?.id, 'tinychat')
  backend.use(exchange => exchange.json(418, { error: { message: 'tea' } }))
  await assert.rejects(sdk.models.list(), { status: 418 })
  assert.equal(backend.exchangesTo(CHAT).length, 2)
})

test('a stopped backend refuses, a started one is at the same address', async t => {
  const { backend, sdk } = await build(t)
  const { url } = backend
  await backend.stop()
  await assert.rejects(sdk.models.list(), OpenAI.APIConnectionError)
  await backend.start()
  assert.equal(backend.url, url)
  assert.equal((await sdk.models.list()).data.length, 1)
})

test('every engine streams through the SDK and says who it is', async t => {
  const engines: [Behaviour, string, number, string][] = [
    [llamaServer(), '/props', 200, 'total_slots'],
    [vllmServer(), '/version', 200, 'version'],
    [ollamaServer(), '/', 200, 'Ollama is running'],
    [openaiServer(), '/health', 404, 'Invalid URL'],
  ]
  for (const [behaviour, path, status, text] of engines) {
    const { backend, sdk } = await build(t, behaviour)
    const probe = await boundedFetch(`${backend.url}${path}`)
    assert.deepEqual([probe.status, (await probe.text()).includes(text)], [status, true])
    const events = await readStream(sdk)
    assert.equal(events.map(event => event.choices[0]?.delta.content ?? '').join(''), 'The capital of France is Paris.')
    assert.equal(events.at(-1)?.usage?.completion_tokens, 7)
    const models = await sdk.models.list()
    assert.match(models.data[0]?.id ?? '', /^tinychat/)
  }
})

test('embeddings come as floats and as base64, one vector per input', async t => {
  const { sdk } = await build(t, llamaServer({ dimensions: 4 }))
  for (const encoding_format of ['float', 'base64', undefined] as const) {
    const asked = { model: 'm', input: ['a', 'b'], ...(encoding_format && { encoding_format }) }
    const { data } = await sdk.embeddings.create(asked)
    if (encoding_format !== 'base64')
      assert.deepEqual(
        data.map(item => [...item.embedding]),
        [
          [1, 1, 1, 1],
          [2, 2, 2, 2],
        ],
      )
    else assert.equal(Buffer.from(String(data[1]?.embedding), 'base64').readFloatLE(), 2)
  }
})

test('a recording is replayed whole and in pieces of any size', async t => {
  const { backend, sdk } = await build(t)
  const whole: CompletionOptions['tokens'] = ['The', ' capital', ' of', ' France', ' is', ' Paris', '.']
  for (const pieces of [1, 7, 100_000]) {
    backend.use(replay('022-chat-stream-usage', { pieces }))
    const events = await readStream(sdk)
    assert.deepEqual(
      events.flatMap(event => event.choices[0]?.delta.content ?? []),
      whole,
    )
  }
  assert.deepEqual(Object.keys(Object(readRecordedRequest('022-chat-stream-usage'))), [
    'model',
    'messages',
    'stream',
    'stream_options',
  ])
})
