import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, test } from 'node:test'
import { parseApiKey } from '../../../src/domain/api-key.ts'
import { revokeKey } from '../../../src/store/keys.ts'
import { hello, refusal, withKey } from '../../support/api-error.ts'
import { storeKey } from '../../support/auth-app.ts'
import { replay } from '../../support/behaviours.ts'
import { llamaServer } from '../../support/engines.ts'
import { adminKey, buildGateway, type Gateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const invalid = { status: 400, type: 'invalid_request_error', code: null } as const

async function build(t: TestContext, yaml?: string) {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  const env = yaml === undefined ? { WEIR_BACKEND_URL: backend.url } : {}
  const gateway = await buildGateway(t, {
    env,
    ...(yaml === undefined ? {} : { yaml: yaml.replaceAll('BACKEND', backend.url) }),
  })
  return { backend, gateway }
}

const authorized = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }

/** What the SDK cannot send: the answer's status and body. */
async function post(
  { url, fetch }: Gateway,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = authorized,
) {
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as { error: Record<string, unknown> },
  }
}

test('400: a field that is wrong is named, however deep', async t => {
  const { gateway, backend } = await build(t)
  const chat = gateway.openai.chat.completions
  const wrong: readonly [object, string][] = [
    [{ ...hello, temperature: 'hot' }, 'temperature'],
    [{ ...hello, temperature: 3 }, 'temperature'],
    [{ ...hello, messages: [] }, 'messages'],
    [{ ...hello, messages: 'hi' }, 'messages'],
    [{ model: 'tinychat' }, 'messages'],
    [{ ...hello, n: 0 }, 'n'],
    [
      {
        ...hello,
        messages: [
          { role: 'user', content: 'x' },
          { role: 'nobody', content: 'x' },
        ],
      },
      'messages[1].role',
    ],
    [
      { ...hello, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 5 } }] }] },
      'messages[0].content[0].image_url.url',
    ],
    [{ ...hello, tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name'],
    [{ ...hello, stream_options: { include_usage: 'yes' } }, 'stream_options.include_usage'],
    [{ ...hello, n_predict: 5 }, 'n_predict'],
    [{ ...hello, model: 7 }, 'model'],
  ]
  for (const [body, param] of wrong) await refusal(chat.create(body as typeof hello), { ...invalid, param })
  const embeddings = gateway.openai.embeddings
  const tooMany = Array.from({ length: 2049 }, () => 'x')
  await refusal(embeddings.create({ model: 'tinychat', input: tooMany }), { ...invalid, param: 'input' })
  await refusal(gateway.openai.completions.create({ model: 'tinychat', prompt: [1, 'x'] as unknown as string }), {
    ...invalid,
    param: 'prompt[1]',
  })
  assert.equal(backend.exchangesTo('/v1/chat/completions').length, 0)
})

test('400: malformed JSON, an empty body and a body that is no object', async t => {
  const { gateway } = await build(t)
  for (const body of ['{"model":', '', '[]', 'null', '"text"', '{"a":1,"a":2}', Buffer.from([0x7b, 0xff, 0x7d])]) {
    const answer = await post(gateway, body)
    assert.equal(answer.status, 400, String(body))
    const { message, ...rest } = answer.body.error
    assert.equal(rest.type, 'invalid_request_error')
    assert.equal(rest.code, null)
    assert.match(String(message), /\S/)
  }
})

test('400: the prompt is longer than the context, in both modes', async t => {
  const { gateway, backend } = await build(t)
  const row = {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
    param: 'messages',
  } as const
  backend.use(llamaServer({ chat: replay('116-err-context-exceeded') }))
  await refusal(gateway.openai.chat.completions.create(hello), row)
  backend.use(llamaServer({ chat: replay('117-err-context-exceeded-stream') }))
  await refusal(gateway.openai.chat.completions.create({ ...hello, stream: true }), row)
})

test('401: no key, a wrong, an expired, a revoked one', async t => {
  const { gateway } = await build(t)
  const row = { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' } as const
  for (const apiKey of ['wrong', 'weir_0123456789', `${adminKey}x`, 'sk-proj-0123456789']) {
    await refusal(gateway.openai.withOptions({ apiKey }).chat.completions.create(hello), row)
    await refusal(gateway.openai.withOptions({ apiKey }).models.list(), row)
  }
  const expired = await storeKey(gateway.app, { expiresAt: new Date(Date.now() - 1000) })
  const revoked = await storeKey(gateway.app)
  const withRevoked = gateway.openai.withOptions({ apiKey: revoked })
  await withRevoked.models.list()
  const id = parseApiKey(gateway.app.peppers, revoked)?.publicId ?? ''
  await revokeKey(gateway.app.sql, id)
  gateway.app.announceChange({ kind: 'key', id })
  await refusal(withRevoked.models.list(), row)
  await refusal(gateway.openai.withOptions({ apiKey: expired }).models.list(), row)
  const none = gateway.openai.withOptions({ defaultHeaders: { Authorization: null } })
  await refusal(none.chat.completions.create(hello), { ...row, message: /No API key was sent/ })
  const twice = gateway.openai.withOptions({ defaultHeaders: { 'x-api-key': 'another' } })
  await refusal(twice.chat.completions.create(hello), row)
})

test('403: the scope and the model', async t => {
  const { gateway } = await build(t)
  const row = { status: 403, type: 'permission_error', code: 'insufficient_permissions' } as const
  const reader = await withKey(gateway, { account: 'reader', scopes: ['models'] })
  await refusal(reader.chat.completions.create(hello), { ...row, message: /"chat"/ })
  await refusal(reader.embeddings.create({ model: 'tinychat', input: 'x' }), { ...row, message: /"embeddings"/ })
  await refusal(reader.completions.create({ model: 'tinychat', prompt: 'x' }), { ...row, message: /"completions"/ })
  const other = await withKey(gateway, { account: 'other', models: ['other-*'] })
  await refusal(other.chat.completions.create(hello), { ...row, param: 'model' })
  assert.deepEqual((await other.models.list()).data, [])
  const noModels = await withKey(gateway, { account: 'third', scopes: ['chat'] })
  await refusal(noModels.models.list(), { ...row, message: /"models"/ })
})

describe('404', () => {
  const row = { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' } as const

  test('an unknown model, on each endpoint', async t => {
    const { openai } = (await build(t)).gateway
    const model = 'no-such\u001b[31m model'
    await refusal(openai.chat.completions.create({ ...hello, model: 'nope' }), { ...row, message: /'nope'/ })
    await refusal(openai.completions.create({ model: 'nope', prompt: 'x' }), row)
    await refusal(openai.embeddings.create({ model: 'nope', input: 'x' }), row)
    await refusal(openai.models.retrieve('nope'), row)
    await refusal(openai.models.retrieve('org/nope'), row)
    // A control character in a name is the request's fault, not a name nobody knows.
    await refusal(openai.chat.completions.create({ ...hello, model }), { ...invalid, param: 'model' })
  })

  test('a URL that is not served says where the API is', async t => {
    const { gateway } = await build(t)
    const notFound = { status: 404, type: 'invalid_request_error', code: null } as const
    const at = (path: string) => gateway.openai.withOptions({ baseURL: gateway.url + path })
    await refusal(at('').chat.completions.create(hello), { ...notFound, message: /\/v1\/chat\/completions/ })
    await refusal(at('').completions.create({ model: 'm', prompt: 'x' }), { ...notFound, message: /\/v1\/completions/ })
    await refusal(at('').embeddings.create({ model: 'm', input: 'x' }), { ...notFound, message: /\/v1\/embeddings/ })
    await refusal(at('').models.list(), { ...notFound, message: /\/v1\/models/ })
    await refusal(at('/v1/v1').chat.completions.create(hello), { ...notFound, message: /\/v1\/chat\/completions/ })
    await refusal(at('/v1').responses.create({ model: 'm', input: 'x' }), { ...notFound, message: /not supported yet/ })
    await refusal(at('/v1').post('/messages', { body: {} }), {
      ...notFound,
      message: /Messages API is not supported yet/,
    })
    await refusal(at('/v1').images.generate({ prompt: 'x' }), notFound)
    await refusal(at('/v1').get('/chat/completions/nothing'), notFound)
    // Nobody needs a key to learn that there is nothing.
    const response = await gateway.fetch(`${gateway.url}/wp-login.php`)
    assert.equal(response.status, 404)
  })
})

test('405: the method is not served here, and Allow says which is', async t => {
  const { gateway } = await build(t)
  const row = { status: 405, type: 'invalid_request_error', code: 'method_not_allowed' } as const
  const cases = [
    ['get', '/chat/completions', 'POST'],
    ['put', '/chat/completions', 'POST'],
    ['delete', '/models/tinychat', 'GET'],
    ['post', '/models', 'GET'],
    ['patch', '/embeddings', 'POST'],
  ] as const
  for (const [method, path, allowed] of cases) {
    const error = await refusal(gateway.openai[method](path), { ...row, message: new RegExp(allowed) })
    assert.equal(error.headers?.get('allow')?.includes(allowed), true, `${method} ${path}`)
  }
  const root = await gateway.fetch(`${gateway.url}/health`, { method: 'DELETE' })
  assert.equal(root.status, 405)
  assert.match(root.headers.get('allow') ?? '', /GET/)
})

test('413: a body over the limit, with a length and in chunks', async t => {
  const { gateway } = await build(t, 'server: { maxBody: 2KiB }\nbackends: { one: { url: BACKEND, discover: true } }')
  const row = { status: 413, type: 'invalid_request_error', code: 'request_too_large' } as const
  const messages = [{ role: 'user' as const, content: 'x'.repeat(3000) }]
  await refusal(gateway.openai.chat.completions.create({ ...hello, messages }), row)
  const client = await connectRaw(t, gateway.url)
  client.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${adminKey}\r\n` +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `bb8\r\n${'x'.repeat(3000)}\r\n0\r\n\r\n`,
  )
  const answer = await client.response()
  assert.equal(answer.status, 413)
  assert.equal(JSON.parse(answer.text).error.code, 'request_too_large')
  await gateway.openai.chat.completions.create(hello)
})

test('415: a body that is not JSON, or is compressed', async t => {
  const { gateway } = await build(t)
  const row = { status: 415, type: 'invalid_request_error', code: 'unsupported_media_type' } as const
  const chat = gateway.openai.chat.completions
  await refusal(chat.create(hello, { headers: { 'content-type': 'text/plain' } }), row)
  await refusal(chat.create(hello, { headers: { 'content-encoding': 'gzip' } }), row)
})
