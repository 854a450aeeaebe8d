import assert from 'node:assert/strict'
import { test } from 'node:test'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { gatewayBefore, hello, type Json, question, streamQuestion } from '../support/inference.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

/** What callers send and no backend may see: credentials, addresses, cookies, and what keeps a llama-server generating. */
const clientHeaders = {
  Authorization: `Bearer ${adminKey}`,
  Cookie: 'session=1',
  Forwarded: 'for=10.1.1.1',
  'X-Forwarded-For': '10.1.1.1',
  'X-Forwarded-Host': 'evil.example',
  'X-Real-IP': '10.1.1.1',
  'X-Conversation-Id': 'conversation-1',
  'X-Request-Id': 'client-1',
  'X-Stainless-Lang': 'js',
  'OpenAI-Organization': 'org-1',
  'Accept-Encoding': 'gzip, br',
  'User-Agent': 'client/1.0',
  Origin: 'https://evil.example',
  TE: 'trailers',
  Connection: 'keep-alive, X-Hop',
  'X-Hop': '1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}

const expectedHeaders = [
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
  'x-request-timeout-ms',
]

for (const [engine, server] of [
  ['llama-server', llamaServer],
  ['vllm', vllmServer],
] as const) {
  test(`only our own headers reach a backend (${engine})`, async t => {
    const backend = await startScriptedBackend(t, server())
    const gateway = await gatewayBefore(t, backend, { engine })
    for (const body of [streamQuestion, question]) {
      const client = await connectRaw(t, gateway.url)
      client.request('POST', '/v1/chat/completions', { headers: clientHeaders, body })
      assert.equal((await client.response()).status, 200)
      const { request } = await backend.nextRequest('/v1/chat/completions')
      assert.equal(request.version, 'HTTP/1.1')
      assert.deepEqual(request.headers.map(([name]) => name.toLowerCase()).sort(), expectedHeaders)
      assert.equal(request.header('content-length'), String(request.body.length))
      assert.equal(request.header('accept-encoding'), 'identity')
      assert.equal(request.header('content-type'), 'application/json')
      assert.equal(request.header('user-agent'), 'weir')
      assert.equal(request.header('host'), new URL(backend.url).host)
    }
  })
}

test('only listed fields reach a backend, and what we set is there once', async t => {
  const backend = await startScriptedBackend(t, vllmServer())
  const gateway = await gatewayBefore(t, backend, {
    engine: 'vllm',
    targetModel: 'meta/tiny',
    model: { maxOutputTokens: 100, aliases: ['small'] },
  })
  const client = await connectRaw(t, gateway.url)
  client.request('POST', '/v1/chat/completions', {
    headers: { Authorization: `Bearer ${adminKey}` },
    body: {
      model: 'small',
      messages: hello,
      max_tokens: 5000,
      temperature: 0.5,
      top_k: 5,
      seed: 7,
      user: 'someone',
      metadata: { a: 'b' },
      store: true,
      service_tier: 'auto',
      unheard_of: 1,
      stream: false,
      stream_options: null,
    },
  })
  const answer = await client.response()
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.header('x-weir-ignored-fields'), 'unheard_of')
  const { request } = await backend.nextRequest('/v1/chat/completions')
  const expected = {
    model: 'meta/tiny',
    messages: hello,
    max_tokens: 100,
    temperature: 0.5,
    top_k: 5,
    seed: 7,
    stream: false,
  }
  assert.deepEqual(request.json, expected)
  for (const name of ['"model"', '"max_tokens"', '"stream"']) assert.equal(request.text.split(name).length, 2, name)
  assert.equal((JSON.parse(answer.text) as Json)['model'], 'small')
})

test('what the caller asks as max_completion_tokens is the bound, and one is set where none is asked', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend, { model: { maxOutputTokens: 100 } })
  for (const [asked, sent] of [
    [{ max_completion_tokens: 7, max_tokens: 9 }, 7],
    [{}, 100],
    [{ max_tokens: null }, 100],
  ] as const) {
    await gateway.openai.chat.completions.create({ ...question, ...asked })
    const { request } = await backend.nextRequest('/v1/chat/completions')
    const body = request.json as Json
    assert.deepEqual([body['max_tokens'], body['max_completion_tokens']], [sent, undefined])
    assert.deepEqual([body['stream'], body['stream_options']], [true, { include_usage: true }])
  }
})

test('the key of a backend is sent to it, below the path of its address', async t => {
  const healthy = llamaServer({ apiKey: 'backend-key' })
  const backend = await startScriptedBackend(t, exchange => {
    // Behind a proxy that puts it under a path.
    const path = exchange.request.path.replace(/^\/engine/, '')
    return healthy({ ...exchange, request: { ...exchange.request, path } })
  })
  const yaml = JSON.stringify({
    backends: {
      main: { url: `${backend.url}/engine`, engine: 'auto', apiKey: { env: 'BACKEND_KEY' }, discover: true },
    },
  })
  const gateway = await buildGateway(t, { yaml, env: { BACKEND_KEY: 'backend-key' } })
  const reply = await gateway.openai.chat.completions.create(question)
  assert.equal(reply.choices[0]?.message.content, 'The capital of France is Paris.')
  for (const { request } of backend.exchanges) {
    assert.equal(request.header('authorization'), 'Bearer backend-key')
    assert.match(request.path, /^\/engine\//)
  }
})
