import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { hello, refusal } from '../../support/api-error.ts'
import { inTurn } from '../../support/behaviours.ts'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { buildTarget } from '../../support/hostile.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

/** A server on another loopback address that nobody has any business with. */
async function startBait(t: TestContext) {
  let connections = 0
  const server = createServer(socket => {
    connections += 1
    socket.destroy()
  })
  server.listen(0, '127.0.0.2')
  await once(server, 'listening')
  onEnd(t, () => server.close())
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.2:${port}/x.png`, count: () => connections }
}

/** Ways to write an address that one reader or another takes for 127.0.0.2. */
const spellings = (port: number) => [
  `http://127.0.0.2:${port}/x.png`,
  `HTTP://127.0.0.2:${port}/x.png`,
  `https://127.0.0.2:${port}/x.png`,
  `http://2130706434:${port}/`,
  `http://0x7f000002:${port}/`,
  `http://0177.0.0.2:${port}/`,
  `http://127.2:${port}/`,
  `http://[::ffff:127.0.0.2]:${port}/`,
  `http://[::ffff:7f00:2]:${port}/`,
  `http://user:pass@127.0.0.2:${port}/`,
  `http://example.com@127.0.0.2:${port}/`,
  `http://127.0.0.2.nip.io:${port}/`,
  `//127.0.0.2:${port}/x.png`,
  `\\\\127.0.0.2\\share`,
  `ftp://127.0.0.2:${port}/`,
  `gopher://127.0.0.2:${port}/`,
  `ws://127.0.0.2:${port}/`,
  'file:///etc/passwd',
  '/etc/passwd',
  'file:passwd',
  'data:text/html;base64,PHNjcmlwdD4=',
  'data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=',
  `data:image/png,http://127.0.0.2:${port}/`,
  `data:image/png;base64,http://127.0.0.2:${port}/`,
  ` data:image/png;base64,${'A'.repeat(20)}`,
  `DATA:image/png;base64,${'A'.repeat(20)}`,
  `blob:http://127.0.0.2:${port}/x`,
  'javascript:alert(1)',
]

const withImage = (url: string) => ({
  messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
})

test('H09 an image by its address is 400, however it is written, and nobody goes there', async t => {
  const bait = await startBait(t)
  const { post, takeForwarded } = await buildTarget(t)
  for (const url of spellings(bait.port)) {
    const { status, error, text } = await post('/chat/completions', withImage(url))
    assert.deepEqual([status, error?.param], [400, 'messages[0].content[0].image_url.url'], url)
    assert.doesNotMatch(text, /127\.0\.0\.2|passwd|user:pass/, 'the address does not come back')
  }
  assert.deepEqual(takeForwarded(), [])
  assert.equal((await post('/chat/completions', withImage(`data:image/png;base64,${'A'.repeat(20)}`))).status, 200)
  assert.equal(bait.count(), 0)
})

test('H09 an address in any other field is 400, dropped, or plain text that nobody follows', async t => {
  const bait = await startBait(t)
  const { url } = bait
  const { post, takeForwarded, backend } = await buildTarget(t)
  const fields: readonly (readonly [object, 200 | 400 | 404])[] = [
    ...['api_base', 'base_url', 'api_key', 'lora'].map(name => [{ [name]: url }, 400] as const),
    ...['extra_body', 'custom_url', 'callback', 'webhook', 'proxy', 'endpoint', 'backend'].map(
      name => [{ [name]: url }, 200] as const,
    ),
    [{ model: url }, 404],
    [{ user: url, metadata: { url }, safety_identifier: url, prompt_cache_key: url }, 200],
    [{ web_search_options: { url }, prediction: { type: 'content', content: url }, audio: { url } }, 200],
    [{ messages: [{ role: 'user', content: `look at ${url}` }] }, 200],
    [{ messages: [{ role: 'user', content: [{ type: 'text', text: url, image_url: { url } }] }] }, 200],
    [{ messages: [{ role: 'user', content: [{ type: 'file', file: { file_url: url } }] }] }, 400],
    [{ messages: [{ role: 'user', content: [{ type: 'video_url', video_url: { url } }] }] }, 400],
    [
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: url, format: 'wav' } }] }] },
      400,
    ],
    [{ tools: [{ type: 'mcp', server_url: url }] }, 400],
    [{ tools: [{ type: 'function', function: { name: 'f', parameters: { $ref: url } } }] }, 200],
    [{ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { $ref: url } } } }, 200],
    [{ chat_template_kwargs: { chat_template: url } }, 400],
  ]
  for (const [extra, expected] of fields) {
    const { status } = await post('/chat/completions', { ...hello, ...extra })
    assert.equal(status, expected, JSON.stringify(extra))
  }
  for (const body of takeForwarded()) {
    const { messages, tools, response_format, ...rest } = body
    assert.ok(!JSON.stringify(rest).includes('127.0.0.2'))
    assert.ok(!JSON.stringify(messages).includes('"image_url"'))
  }
  assert.equal(bait.count(), 0)
  assert.deepEqual(backend.failures, [])
})

test('H09 no header and no form of the URL sends a request elsewhere', async t => {
  const bait = await startBait(t)
  const { gateway } = await buildTarget(t)
  const host = `127.0.0.2:${bait.port}`
  const asks: readonly (readonly [string, Record<string, string>])[] = [
    ['/v1/models', { Host: host }],
    ['/v1/models', { 'X-Forwarded-Host': host, 'X-Forwarded-Proto': 'http', Forwarded: `host=${host}` }],
    ['/v1/models', { 'X-Original-URL': bait.url, 'X-Rewrite-URL': bait.url, 'X-Backend': bait.url }],
    [`http://${host}/v1/models`, { Host: host }],
    [`/v1/models?api_base=${encodeURIComponent(bait.url)}`, {}],
    [`/v1/models/${encodeURIComponent(bait.url)}`, {}],
    [`//${host}/v1/models`, {}],
  ]
  for (const [target, headers] of asks) {
    const client = await connectRaw(t, gateway.url)
    client.request('GET', target, { headers: { Authorization: `Bearer ${adminKey}`, ...headers } })
    const answer = await client.response()
    assert.ok(answer.status < 500, target)
    assert.ok(answer.header('location') === undefined)
  }
  assert.equal(bait.count(), 0)
})

test('H09 a redirect of a backend is not followed, on a request or on a probe', async t => {
  const bait = await startBait(t)
  const redirect =
    (status: number): Behaviour =>
    exchange =>
      exchange.answer(status, [['Location', bait.url]], '')
  const backend = await startScriptedBackend(t)
  // Each answer is to be seen, also where one backend gives nothing else.
  const breaker = '{ window: 1000, least: 1000 }'
  const yaml = `routing: { maxAttempts: 1 }\nbackends: { one: { url: '${backend.url}', discover: true, breaker: ${breaker} } }`
  const { openai } = await buildGateway(t, { yaml })
  const row = { status: 502, type: 'server_error', code: 'upstream_error' } as const
  for (const status of [301, 302, 303, 307, 308]) {
    backend.use(llamaServer({ chat: redirect(status) }))
    await refusal(openai.chat.completions.create(hello), row)
    await refusal(openai.chat.completions.create({ ...hello, stream: true }), row)
  }
  const moved = await startScriptedBackend(t, inTurn(redirect(301), redirect(307), redirect(308)))
  const probing = await buildGateway(t, { env: { WEIR_BACKEND_URL: moved.url } })
  for (let probes = 0; probes < 6; probes += 1) await moved.nextRequest()
  assert.deepEqual((await probing.openai.models.list()).data, [])
  assert.equal(bait.count(), 0)
})

test('H09 where addresses of images are allowed they go to the backend as they are, and Weir itself stays here', async t => {
  const bait = await startBait(t)
  const { post, takeForwarded } = await buildTarget(
    t,
    url => `server: { urlImages: true }\nbackends: { one: { url: '${url}', discover: true } }`,
  )
  assert.equal((await post('/chat/completions', withImage(bait.url))).status, 200)
  assert.ok(JSON.stringify(takeForwarded()[0]).includes(bait.url))
  for (const url of ['file:///etc/passwd', 'ftp://127.0.0.2/', '//127.0.0.2/', `http://a b/`, 'http://', '/etc/passwd'])
    assert.equal((await post('/chat/completions', withImage(url))).status, 400, url)
  assert.equal(bait.count(), 0)
})
