import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { storeKey } from '../support/auth-app.ts'
import { adminKey, buildGateway, type Gateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t)
  return await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, string> & {
    readonly error: { readonly message: string; readonly param: string | null }
  }
}

async function exchange({ url, fetch }: Gateway, credential: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${credential}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] }
}

test('the openai SDK works with an API key, and with a token that it was changed for', async t => {
  const gateway = await build(t)
  const key = await storeKey(gateway.app, { scopes: ['chat', 'models'] })
  const { status, headers, body } = await exchange(gateway, key)
  assert.equal(status, 200)
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.deepEqual([body.token_type, body.expires_in, body.scope], ['Bearer', 900, 'chat models'])
  assert.ok(Math.abs(Date.parse(body.expires_at ?? '') - Date.now() - 900_000) < 5000)
  for (const apiKey of [key, body.access_token ?? '']) {
    const client = gateway.openai.withOptions({ apiKey })
    const messages = [{ role: 'user' as const, content: 'hi' }]
    const whole = await client.chat.completions.create({ model: 'tinychat', messages })
    assert.ok(whole.choices[0]?.message.content)
    let text = ''
    for await (const chunk of await client.chat.completions.create({ model: 'tinychat', messages, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    assert.ok(text.length > 0)
    assert.ok((await client.models.list()).data.length > 0)
  }
  // The log names the key behind a token, and holds neither.
  const lines = gateway.logLines.filter(line => line['operation'] === 'chat')
  assert.deepEqual(new Set(lines.map(line => line['key'])), new Set([key.slice(8, 24)]))
  const log = JSON.stringify(gateway.logLines)
  for (const secret of [key.slice(-54), body.access_token ?? '?']) assert.equal(log.includes(secret), false)
})

test('a token may do less than its key, for less long, and never more', async t => {
  const gateway = await build(t)
  const key = await storeKey(gateway.app, { scopes: ['chat', 'models'], expiresAt: new Date(Date.now() + 30_000) })
  const less = await exchange(gateway, key, { scopes: ['models'], expires_in: 10 })
  assert.deepEqual([less.body.scope, less.body.expires_in], ['models', 10])
  const client = gateway.openai.withOptions({ apiKey: less.body.access_token ?? '' })
  assert.ok(await client.models.list())
  await assert.rejects(client.embeddings.create({ model: 'tinychat', input: 'x' }), { status: 403 })
  // Not beyond the key's own end, nor beyond what the server allows.
  const long = await exchange(gateway, key, { expires_in: 86_400 })
  assert.ok(Number(long.body.expires_in) <= 30)
  const endless = await exchange(gateway, await storeKey(gateway.app), { expires_in: 86_400 })
  assert.equal(endless.body.expires_in, 900)

  const more = await exchange(gateway, key, { scopes: ['models', 'admin'] })
  assert.equal(more.status, 403)
  assert.match(more.body.error.message, /scope "admin"/)
  assert.equal(more.body.error.param, 'scopes')
  for (const body of [{ scopes: ['root'] }, { scopes: [] }, { expires_in: 0 }, { expires_in: '10' }, { scope: 'chat' }])
    assert.equal((await exchange(gateway, key, body)).status, 400, JSON.stringify(body))
})

test('a key in its last second, or one that may do nothing, is given no token', async t => {
  const gateway = await build(t)
  const ending = await exchange(gateway, await storeKey(gateway.app, { expiresAt: new Date(Date.now() + 900) }))
  assert.equal(ending.status, 401)
  assert.equal((await exchange(gateway, await storeKey(gateway.app, { scopes: [] }))).status, 403)
})

test('only an API key can be changed for a token', async t => {
  const gateway = await build(t)
  const { body } = await exchange(gateway, await storeKey(gateway.app))
  const cases = [
    [body.access_token ?? '', 403, /A token cannot be changed/],
    [adminKey, 403, /preset admin key cannot be changed/],
    ['sk-weir-nothing', 401, /not valid/],
  ] as const
  for (const [credential, status, message] of cases) {
    const answer = await exchange(gateway, credential)
    assert.equal(answer.status, status)
    assert.match(answer.body.error.message, message)
  }
})
