import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Backend } from '../../src/backend/backend.ts'
import type { Call } from '../../src/backend/call.ts'
import type { EngineName } from '../../src/backend/engine.ts'
import type { EndpointName } from '../../src/schemas/config/models.ts'
import { delayed, garbage, hangsUp, loading } from '../support/behaviours.ts'
import { onEnd } from '../support/cleanup.ts'
import { llamaServer, ollamaServer, openaiServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import { type ScriptedBackend, startScriptedBackend } from '../support/scripted-backend.ts'

const target = { backend: 'main', model: 'tinychat', weight: 1, endpoints: new Set<EndpointName>() }
const timeouts = { connectMs: 1000, firstTokenMs: 1000, idleMs: 1000, totalMs: 1000 }
const stays = new AbortController().signal
const breaker = { window: 10, least: 5, failurePercent: 50, pauseMs: 1000, maxPauseMs: 30_000 }
const silent = {
  onGate: () => undefined,
  onLetsIn: () => undefined,
  onKnown: () => undefined,
  onTurnsAway: () => undefined,
}
const messages = [{ role: 'user', content: 'What is the capital of France?' }]

function callOf(operation: EndpointName, body: object): Call {
  return {
    operation,
    model: {
      id: 'tinychat',
      aliases: [],
      created: 0,
      ownedBy: 'weir',
      contextLength: null,
      maxOutputTokens: 100,
      promptCache: 'shared',
      imageTokens: 1024,
      prices: [],
      targets: [target],
      fallback: null,
    },
    fallbacks: [],
    askedModel: 'tinychat',
    choices: 1,
    choicesPerPrompt: 1,
    stream: true,
    includeUsage: false,
    asks: () => ({ fields: { values: new Map(), bytes: Buffer.alloc(0), places: [] }, outputBound: 0 }),
    buildBody: () => Buffer.from(JSON.stringify({ model: 'tinychat', ...body })),
    caller: { account: 'a', tier: 'free', priority: 0, queueWaitMs: 0, deadlineMs: Number.POSITIVE_INFINITY },
    arm: null,
    trace: null,
    prefixKey: () => null,
    record: {
      backend: null,
      model: null,
      target: null,
      arm: null,
      attempts: 0,
      tries: [],
      firstContentAt: null,
      usage: null,
      queueMs: 0,
      fault: null,
    },
  }
}

const chatCall = callOf('chat', { messages, max_tokens: 5 })

async function countingBackend(t: TestContext, engine: EngineName, behaviour: Behaviour) {
  const server = await startScriptedBackend(t, behaviour)
  const url = `${server.url}/below`
  const backend = new Backend(
    'main',
    { url, engine, discover: false, drain: false, timeouts, breaker, apiKey: 'key' },
    silent,
  )
  onEnd(t, () => backend.close())
  const count = (call: Call, signal = stays) => backend.countPrompt(call, target, signal)
  return { server, count }
}

/** What each question so far was. */
const asked = ({ exchanges }: ScriptedBackend) =>
  exchanges.map(({ request }) => [request.path, JSON.parse(request.text) as unknown])

/** So many tokens as a text has words. */
const words: Behaviour = exchange => {
  const { content, prompt } = JSON.parse(exchange.request.text) as { content?: string; prompt?: string }
  const tokens = (content ?? prompt ?? '').split(' ').map((_, n) => n)
  return exchange.json(200, content === undefined ? { count: tokens.length, max_model_len: 9, tokens } : { tokens })
}

test('llama-server counts a chat by the body of the call, texts one by one; tokens count themselves', async t => {
  const { server, count } = await countingBackend(t, 'llama-server', exchange =>
    exchange.request.path.endsWith('input_tokens')
      ? exchange.json(200, { input_tokens: 16, object: 'response.input_tokens' })
      : words(exchange),
  )
  const tools = [{ type: 'function', function: { name: 'f' } }]
  assert.equal(await count(callOf('chat', { messages, tools })), 16)
  assert.equal(await count(callOf('completions', { prompt: 'one two' })), 2)
  assert.equal(await count(callOf('completions', { prompt: ['one two', 'three'] })), 3)
  assert.equal(await count(callOf('embeddings', { input: ['one two three', 'four'] })), 4)
  assert.deepEqual(asked(server), [
    ['/below/v1/chat/completions/input_tokens', { model: 'tinychat', messages, tools }],
    ...['one two', 'one two', 'three', 'one two three', 'four'].map(content => [
      '/below/tokenize',
      { content, add_special: true },
    ]),
  ])
  assert.equal(server.exchanges[0]?.request.header('authorization'), 'Bearer key')
  assert.equal(await count(callOf('completions', { prompt: [7, 8, 9] })), 3)
  assert.equal(await count(callOf('embeddings', { input: [[7, 8], [9]] })), 3)
  assert.equal(server.exchanges.length, 6, 'nobody has to be asked about tokens')
  assert.ok(server.sockets.opened < server.exchanges.length, 'connections are kept')
})

test('vLLM counts messages and prompts at one path', async t => {
  const { server, count } = await countingBackend(t, 'vllm', words)
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const chat_template_kwargs = { enable_thinking: false }
  assert.equal(await count(callOf('chat', { messages, tools, chat_template_kwargs, temperature: 1 })), 1)
  assert.equal(await count(callOf('completions', { prompt: ['one two', 'three'] })), 3)
  assert.equal(await count(callOf('embeddings', { input: 'one two' })), 2)
  assert.deepEqual(asked(server), [
    ['/below/tokenize', { model: 'tinychat', messages, tools, chat_template_kwargs }],
    ...['one two', 'three', 'one two'].map(prompt => ['/below/tokenize', { model: 'tinychat', prompt }]),
  ])
})

test('of an answer too large to be read vLLM has told the count by then, llama-server has not', async t => {
  const tokens = Array.from({ length: 40_000 }, (_, n) => n)
  const large: Behaviour = exchange => exchange.json(200, { count: tokens.length, max_model_len: 50_000, tokens })
  const vllm = await countingBackend(t, 'vllm', large)
  assert.equal(await vllm.count(chatCall), 40_000)
  assert.equal((await vllm.server.nextClose()).by, 'client')
  const llama = await countingBackend(t, 'llama-server', exchange => exchange.json(200, { tokens }))
  assert.equal(await llama.count(callOf('completions', { prompt: 'long' })), null)
})

test('engines that cannot count are not asked', async t => {
  for (const [engine, server] of [
    ['ollama', ollamaServer()],
    ['openai', openaiServer()],
  ] as const) {
    const { server: backend, count } = await countingBackend(t, engine, server)
    assert.equal(await count(chatCall), null)
    assert.equal(backend.exchanges.length, 0)
  }
})

test('an engine is not asked about what would take it long', async t => {
  const { server, count } = await countingBackend(t, 'vllm', words)
  assert.equal(await count(callOf('completions', { prompt: 'a'.repeat(256 * 1024) })), null)
  assert.equal(await count(callOf('embeddings', { input: Array(65).fill('a') })), null)
  assert.equal(server.exchanges.length, 0)
  assert.equal(await count(callOf('embeddings', { input: Array(64).fill('a') })), 64)
})

test('whatever is wrong with an answer, there is no count and no error', async t => {
  const { server, count } = await countingBackend(t, 'llama-server', loading())
  const wrong: Record<string, Behaviour> = {
    'it loads': loading(),
    'it does not know the path': llamaServer(),
    'no HTTP': exchange => exchange.write('nonsense'),
    'noise in an event stream': garbage(),
    'no JSON': exchange => exchange.json(200, 'nonsense'),
    'no count': exchange => exchange.json(200, { tokens: [1, 2] }),
    'a count that is none': exchange => exchange.json(200, { input_tokens: -1 }),
    'half a count': exchange => exchange.json(200, { input_tokens: 1.5 }),
    'a text': exchange => exchange.json(200, { input_tokens: '16' }),
    'the connection ends': hangsUp(),
    'the connection breaks': hangsUp('reset'),
  }
  for (const [what, behaviour] of Object.entries(wrong)) {
    server.use(behaviour)
    assert.equal(await count(chatCall), null, what)
  }
  await server.stop()
  assert.equal(await count(chatCall), null, 'connection refused')
  await server.start()
  server.use(exchange => exchange.json(200, { input_tokens: 16 }))
  assert.equal(await count(chatCall), 16)
})

test('four at a time, for half a second: the fifth is not counted, and a slow engine is left', async t => {
  const { server, count } = await countingBackend(t, 'vllm', delayed(60_000, words))
  const four = Array.from({ length: 4 }, () => count(chatCall))
  for (let n = 0; n < 4; n += 1) await server.nextRequest()
  assert.equal(await Promise.race([count(chatCall), ...four.map(each => each.then(() => 'late'))]), null)
  assert.deepEqual(await Promise.all(four), [null, null, null, null])
  for (let n = 0; n < 4; n += 1) assert.equal((await server.nextClose()).by, 'client')
  assert.equal(server.exchanges.length, 4)
  server.use(words)
  assert.equal(await count(callOf('completions', { prompt: 'one two' })), 2)
})

test('a caller who leaves takes the question along', async t => {
  const { server, count } = await countingBackend(t, 'vllm', delayed(60_000, words))
  const caller = new AbortController()
  const another = count(chatCall)
  await server.nextRequest()
  const counted = count(chatCall, caller.signal)
  const { closed } = await server.nextRequest()
  caller.abort()
  assert.equal(await Promise.race([counted, another.then(() => 'late')]), null)
  assert.equal((await closed).by, 'client')
  assert.equal(await count(chatCall, caller.signal), null)
  assert.equal(server.exchanges.length, 2)
})
