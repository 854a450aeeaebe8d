import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hello } from '../support/api-error.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { adminKey, buildGateway, type GatewayOptions } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

async function build(t: TestContext, options: GatewayOptions = {}) {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  return { backend, gateway: await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url }, ...options }) }
}

const authorized = { authorization: `Bearer ${adminKey}` }
const asJson = { ...authorized, 'content-type': 'application/json' }

test('x-request-id and openai-processing-ms stand on every answer, and nothing tells what runs here', async t => {
  const { gateway } = await build(t)
  const at = (path: string, init?: RequestInit) => gateway.fetch(gateway.url + path, init)
  const post = (body: object) => ({ method: 'POST', headers: asJson, body: JSON.stringify(body) })
  const answers = [
    await at('/'),
    await at('/', { method: 'HEAD' }),
    await at('/nothing'),
    await at('/health'),
    await at('/health', { method: 'POST' }),
    await at('/metrics'),
    await at('/openapi.json'),
    await at('/docs'),
    await at('/v1/models'),
    await at('/v1/models', { headers: authorized }),
    await at('/v1/models/%zz', { headers: authorized }),
    await at(`/v1/models/${'x'.repeat(600)}`, { headers: authorized }),
    await at('/v1/chat/completions', post({})),
    await at('/v1/chat/completions', post(hello)),
    await at('/v1/chat/completions', post({ ...hello, stream: true })),
    await at('/v1/completions', post({ prompt: 'x', stream: true })),
    await at('/v1/embeddings', post({ input: 'x' })),
  ]
  const ids = new Set<string>()
  for (const { url, status, headers } of answers) {
    const id = headers.get('x-request-id') ?? ''
    assert.match(id, /^req_[0-9a-f]{32}$/, `${url} ${status}`)
    ids.add(id)
    assert.match(headers.get('openai-processing-ms') ?? '', /^[0-9]+$/, `${url} ${status}`)
    for (const name of ['server', 'x-powered-by', 'via', 'access-control-allow-origin', 'set-cookie']) {
      assert.equal(headers.get(name), null, `${name} on ${url} ${status}`)
    }
    assert.doesNotMatch(JSON.stringify([...headers]), /llama|fastify|node|undici|uvicorn|weir\/|\b0\.1\.0\b/i)
  }
  assert.equal(ids.size, answers.length)
})

test("O05 a caller's own request id is kept in the log if it is short and harmless, and is never echoed", async t => {
  const { gateway } = await build(t)
  const ids = [
    ['abc-DEF_0.9:z', true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['with space', false],
    ['"quoted"', false],
    ['\u001b[31mred', false],
    ['é', false],
    ['req_00000000000000000000000000000000', true],
  ] as const
  for (const [id, isKept] of ids) {
    const client = await connectRaw(t, gateway.url)
    client.request('GET', '/v1/models', { headers: { ...authorized, 'X-Request-Id': id } })
    const answer = await client.response()
    const ours = answer.header('x-request-id') ?? ''
    // What no header may hold does not come so far: the parser refuses it.
    if (answer.status === 400) continue
    assert.equal(answer.status, 200)
    assert.match(ours, /^req_[0-9a-f]{32}$/)
    assert.notEqual(ours, id)
    const line = await eventually('the line of the request', () =>
      gateway.logLines.find(entry => entry['reqId'] === ours && entry['msg'] === 'request'),
    )
    assert.equal(line?.['clientRequestId'], isKept ? id : undefined)
  }
  const twice = await connectRaw(t, gateway.url)
  twice.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nX-Request-Id: two\r\n\r\n`)
  assert.equal((await twice.response()).status, 200)
})

test('openai-processing-ms is the time to the head of the answer, also of a stream', async t => {
  const { gateway, backend } = await build(t)
  backend.use(llamaServer({ answer: { firstTokenAfterMs: 120, tokens: 3, everyMs: 60 } }))
  const { data, response } = await gateway.openai.chat.completions.create({ ...hello, stream: true }).withResponse()
  const ms = Number(response.headers.get('openai-processing-ms'))
  assert.ok(ms >= 100 && ms < 2000, String(ms))
  for await (const _chunk of data);
})

test('the headers of a stream keep proxies from holding, changing or compressing it', async t => {
  const { gateway } = await build(t)
  for (const encoding of ['identity', 'gzip, br, deflate']) {
    const client = await connectRaw(t, gateway.url)
    const headers = { ...authorized, 'Accept-Encoding': encoding }
    client.request('POST', '/v1/chat/completions', { headers, body: { ...hello, stream: true } })
    const head = await client.head()
    assert.equal(head.header('content-type'), 'text/event-stream; charset=utf-8')
    assert.equal(head.header('cache-control'), 'no-cache, no-transform')
    assert.equal(head.header('x-accel-buffering'), 'no')
    assert.equal(head.header('content-encoding'), undefined)
    assert.ok((await client.body()).toString().endsWith('data: [DONE]\n\n'))
  }
})

test('fields that were dropped are named, five at most', async t => {
  const { gateway } = await build(t)
  const body = { ...hello, one: 1, two: 2, Three: 3, four: 4, five: 5, six: 6, seven: 7 }
  const { response } = await gateway.openai.chat.completions.create(body).withResponse()
  assert.equal(response.headers.get('x-weir-ignored-fields'), 'one, two, four, five, six')
  const plain = await gateway.openai.chat.completions.create({ ...hello, user: 'me', store: true }).withResponse()
  assert.equal(plain.response.headers.get('x-weir-ignored-fields'), null)
  const stream = await gateway.openai.chat.completions.create({ ...body, stream: true }).withResponse()
  assert.equal(stream.response.headers.get('x-weir-ignored-fields'), 'one, two, four, five, six')
  for await (const _chunk of stream.data);
})

const origin = 'https://app.example.com'

test('CORS is off unless origins are configured', async t => {
  const { gateway } = await build(t)
  const preflight = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  assert.equal(preflight.status, 405)
  const answer = await gateway.openai.models.list({ headers: { origin } }).withResponse()
  assert.equal(answer.response.headers.get('access-control-allow-origin'), null)
  assert.equal(answer.response.headers.get('vary'), null)
})

test('CORS on: preflight, exposed headers on answers, errors and streams; other origins get nothing', async t => {
  const yaml = (url: string) =>
    `server: { corsOrigins: ['${origin}'] }\nbackends: { one: { url: '${url}', discover: true } }`
  const backend = await startScriptedBackend(t)
  const gateway = await buildGateway(t, { yaml: yaml(backend.url) })
  const preflight = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type, x-stainless-lang',
    },
  })
  assert.equal(preflight.status, 204)
  const plainOptions = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'OPTIONS' })
  assert.equal(plainOptions.status, 204, 'an OPTIONS that is no preflight is no mistake')
  assert.equal(preflight.headers.get('access-control-allow-origin'), origin)
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/)
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /authorization.*x-stainless-lang/)
  const needed =
    'x-request-id openai-processing-ms x-ratelimit-limit-requests x-ratelimit-limit-tokens x-ratelimit-remaining-requests ' +
    'x-ratelimit-remaining-tokens x-ratelimit-reset-requests x-ratelimit-reset-tokens retry-after retry-after-ms x-should-retry'
  const post = (body: object, from: string) =>
    gateway.fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...asJson, origin: from },
      body: JSON.stringify(body),
    })
  for (const body of [hello, { ...hello, stream: true }, {}]) {
    const { status, headers } = await post(body, origin)
    assert.equal(headers.get('access-control-allow-origin'), origin, String(status))
    assert.equal(headers.get('vary'), 'Origin')
    const exposed = (headers.get('access-control-expose-headers') ?? '').split(/, ?/)
    assert.deepEqual(
      needed.split(' ').filter(name => !exposed.includes(name)),
      [],
    )
    assert.equal(headers.get('access-control-allow-credentials'), null)
  }
  for (const other of ['https://evil.example', 'null', `${origin}.evil.example`]) {
    const { headers } = await post(hello, other)
    assert.notEqual(headers.get('access-control-allow-origin'), other)
  }
})
