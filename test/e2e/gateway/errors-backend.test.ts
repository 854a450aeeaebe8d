import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import OpenAI from 'openai'
import { type ErrorRow, hello, refusal, withKey } from '../../support/api-error.ts'
import {
  BACKEND_SECRET,
  diesAfter,
  endlessError,
  endsEarly,
  errorAnswer,
  errorInFirstEvent,
  fillsContext,
  garbage,
  hangsUp,
  htmlError,
  loading,
  neverAnswers,
  notAStream,
  stallsAfter,
} from '../../support/behaviours.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer, openaiServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import { buildGateway } from '../../support/gateway.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'

async function build(t: TestContext, timeouts = '{}') {
  const backend = await startScriptedBackend(t)
  // Each failure is to be seen, also where one backend fails at everything.
  const yaml = `
routing: { maxAttempts: 1 }
backends: { one: { url: ${backend.url}, discover: true, timeouts: ${timeouts}, breaker: { window: 1000, least: 1000 } } }`
  const gateway = await buildGateway(t, { yaml })
  const chats = gateway.openai.chat.completions
  /** Asks for the answer whole and as a stream. */
  const both = [() => chats.create(hello), () => chats.create({ ...hello, stream: true })] as const
  return { backend, gateway, both }
}

const row502: ErrorRow = { status: 502, type: 'server_error', code: 'upstream_error' }
const moved = [['Location', 'http://127.0.0.1:1/']] as const
const broken: readonly (readonly [string, Behaviour])[] = [
  ['FIN before any byte', hangsUp('fin')],
  ['RST before any byte', hangsUp('reset')],
  ['500 as HTML with a stack', htmlError(500)],
  ['500 whose body never ends', endlessError(500)],
  ['500 as JSON', errorAnswer(500, { error: { message: BACKEND_SECRET, type: 'server_error', code: 500 } })],
  ['200 that is no event stream', notAStream()],
  ['200 and noise', garbage()],
  ['200 whose first event is an error', errorInFirstEvent()],
  ['401', errorAnswer(401, { error: BACKEND_SECRET })],
  ['403', errorAnswer(403, { error: { message: BACKEND_SECRET } })],
  ['404', errorAnswer(404, { error: { message: BACKEND_SECRET } })],
  ['302', errorAnswer(302, { message: BACKEND_SECRET }, moved)],
]

test('502: whatever a backend does wrong before its first content, nothing of it is shown', async t => {
  const { backend, both } = await build(t)
  for (const [name, behaviour] of broken) {
    await t.test(name, async () => {
      backend.use(llamaServer({ chat: behaviour }))
      for (const ask of both) {
        const error = await refusal(ask(), row502)
        const seen = JSON.stringify([error.error, [...(error.headers ?? [])]])
        for (const part of BACKEND_SECRET.split(' ')) if (part.length > 3) assert.ok(!seen.includes(part), seen)
      }
    })
  }
})

test('502: a backend that refuses connections', async t => {
  const { backend, both } = await build(t)
  await backend.stop()
  for (const ask of both) await refusal(ask(), { ...row502, message: /cannot be reached/ })
})

test('503: the model loads, or its server is full, with the time to wait', async t => {
  const { backend, both } = await build(t)
  const row: ErrorRow = { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded' }
  const cases: readonly (readonly [Behaviour, ErrorRow['retry']])[] = [
    [loading(), { 'retry-after': '1', 'retry-after-ms': '1000' }],
    [errorAnswer(429, {}, [['Retry-After', '7']]), { 'retry-after': '7', 'retry-after-ms': '7000' }],
    [
      errorAnswer(503, {}, [['Retry-After', '99999']]),
      { 'retry-after': '3600', 'retry-after-ms': '3600000', 'x-should-retry': 'false' },
    ],
  ]
  for (const [behaviour, retry] of cases) {
    backend.use(llamaServer({ chat: behaviour }))
    for (const ask of both) await refusal(ask(), { ...row, ...(retry === undefined ? {} : { retry }) })
  }
})

test('503, and then an answer: an SDK that is told to wait comes back and is served', async t => {
  const { backend, gateway } = await build(t)
  let asked = 0
  backend.use(
    llamaServer({
      chat: exchange => {
        asked += 1
        return (asked < 3 ? loading() : chat())(exchange)
      },
    }),
  )
  const reply = await gateway.openai.withOptions({ maxRetries: 2 }).chat.completions.create(hello)
  assert.equal(reply.choices.length, 1)
  assert.equal(asked, 3)
})

test('503: while a backend has not said what it has, a name nobody knows may yet be known', async t => {
  const backend = await startScriptedBackend(t, loading())
  const { openai } = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
  await refusal(openai.chat.completions.create(hello), {
    status: 503,
    type: 'service_unavailable_error',
    code: 'server_is_overloaded',
    param: 'model',
    retry: { 'retry-after': '2', 'retry-after-ms': '2000' },
  })
  await refusal(openai.chat.completions.create({ ...hello, model: undefined as unknown as string }), {
    status: 503,
    type: 'service_unavailable_error',
    code: 'server_is_overloaded',
    param: 'model',
    retry: { 'retry-after': '2', 'retry-after-ms': '2000' },
  })
  await refusal(openai.models.retrieve('tinychat'), {
    status: 503,
    type: 'service_unavailable_error',
    code: 'server_is_overloaded',
    param: 'model',
    retry: { 'retry-after': '2', 'retry-after-ms': '2000' },
  })
})

test('503: keys cannot be checked while PostgreSQL is gone; known ones go on', async t => {
  const database = await createDatabase(t)
  const proxy = await startFaultProxy(t, { url: database })
  const backend = await startScriptedBackend(t)
  const url = new URL(database)
  url.port = String(proxy.port)
  const gateway = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url, DATABASE_URL: url.href } })
  const [known, unknown] = [await withKey(gateway, { account: 'a' }), await withKey(gateway, { account: 'b' })]
  await known.chat.completions.create(hello)
  await proxy.down()
  await refusal(unknown.chat.completions.create(hello), {
    status: 503,
    type: 'service_unavailable_error',
    code: 'auth_unavailable',
    retry: { 'retry-after': '2', 'retry-after-ms': '2000' },
  })
  await known.chat.completions.create(hello)
  await gateway.openai.chat.completions.create(hello)
  await refusal(gateway.openai.withOptions({ apiKey: 'not one of ours' }).models.list(), {
    status: 401,
    type: 'invalid_request_error',
    code: 'invalid_api_key',
  })
})

test('504: no first token in time, and an answer that takes too long', async t => {
  const { backend, both } = await build(t, '{ firstToken: 100ms, total: 300ms }')
  const row: ErrorRow = { status: 504, type: 'server_error', code: 'upstream_timeout' }
  backend.use(llamaServer({ chat: neverAnswers() }))
  for (const ask of both) await refusal(ask(), { ...row, message: /did not begin to answer in time/ })
  backend.use(llamaServer({ chat: chat({ tokens: 100, everyMs: 20 }) }))
  await refusal(both[0](), { ...row, message: /longer than one answer may take/ })
})

test('in a stream: how it ended is told in an event that makes the SDK throw, and it does not try again', async t => {
  const { backend, gateway } = await build(t, '{ idle: 150ms }')
  const cases = [
    ['RST', diesAfter(3, 'reset'), 'upstream_incomplete'],
    ['FIN', diesAfter(3, 'fin'), 'upstream_incomplete'],
    ['a clean end too early', endsEarly(3), 'upstream_incomplete'],
    ['silence', stallsAfter(3), 'upstream_timeout'],
    ["the engine's own error", fillsContext(3), 'upstream_error'],
    ['our stopping', chat({ tokens: 1000, everyMs: 10 }), 'server_shutdown'],
  ] as const
  for (const [name, behaviour, code] of cases) {
    await t.test(name, async () => {
      backend.use(llamaServer({ chat: behaviour }))
      const before = backend.exchangesTo('/v1/chat/completions').length
      const openai = gateway.openai.withOptions({ maxRetries: 2 })
      const stream = await openai.chat.completions.create({ ...hello, stream: true })
      const tokens: string[] = []
      const error = await (async () => {
        for await (const chunk of stream) {
          tokens.push(chunk.choices[0]?.delta.content ?? '')
          if (code === 'server_shutdown' && tokens.length === 4) gateway.app.backends.stopAll()
        }
      })().then(
        () => assert.fail('it ended as if it were whole'),
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof OpenAI.APIError, String(error))
      assert.deepEqual(
        { code: error.code, type: error.type, param: error.param, status: error.status },
        { code, type: 'server_error', param: null, status: undefined },
      )
      assert.ok(tokens.filter(Boolean).length >= 3)
      assert.equal(backend.exchangesTo('/v1/chat/completions').length - before, 1)
    })
  }
})

test('a backend that serves no embeddings, or has not the model, is no fault of the caller', async t => {
  const backend = await startScriptedBackend(t, openaiServer({ embeddings: errorAnswer(404, {}) }))
  const { openai } = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
  await refusal(openai.embeddings.create({ model: 'tinychat', input: 'x' }), row502)
  backend.use(openaiServer({ embeddings: exchange => exchange.json(200, { data: [{ embedding: 'no vector!' }] }) }))
  await refusal(openai.embeddings.create({ model: 'tinychat', input: 'x', encoding_format: 'float' }), row502)
})
