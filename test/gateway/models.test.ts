import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hello, refusal, withKey } from '../support/api-error.ts'
import { llamaServer, openaiServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const models = (url: string) => `
backends:
  one: { url: '${url}' }
models:
  org/name:
    aliases: [gpt-4o, org/deep/alias]
    targets: [{ backend: one, model: real-name }]
  second:
    endpoints: [chat, embeddings]
    targets: [{ backend: one }]
  vectors:
    endpoints: [embeddings]
    targets: [{ backend: one }]
`

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t, openaiServer({ model: 'real-name', dimensions: 4 }))
  return { backend, gateway: await buildGateway(t, { yaml: models(backend.url) }) }
}

const before = Math.floor(Date.now() / 1000)

test('the list: exactly the four keys of each, aliases not listed', async t => {
  const { gateway } = await build(t)
  const response = await gateway.fetch(`${gateway.url}/v1/models`, {
    headers: { authorization: `Bearer ${adminKey}` },
  })
  const list = (await response.json()) as { object: string; data: { id: string; created: number }[] }
  assert.deepEqual(Object.keys(list), ['object', 'data'])
  assert.equal(list.object, 'list')
  assert.deepEqual(
    list.data.map(({ created, ...rest }) => rest),
    ['org/name', 'second', 'vectors'].map(id => ({ id, object: 'model', owned_by: 'weir' })),
  )
  for (const model of list.data) {
    assert.deepEqual(Object.keys(model), ['id', 'object', 'created', 'owned_by'])
    assert.ok(Number.isInteger(model.created) && model.created >= before)
  }
})

test('one model: by name with a slash, encoded or not, and by alias; the same object as in the list', async t => {
  const { gateway } = await build(t)
  const [listed] = (await gateway.openai.models.list()).data
  // The SDK sends /v1/models/org%2Fname.
  assert.deepEqual(await gateway.openai.models.retrieve('org/name'), listed)
  assert.deepEqual(await gateway.openai.models.retrieve('gpt-4o'), listed)
  assert.deepEqual(await gateway.openai.models.retrieve('org/deep/alias'), listed)
  assert.deepEqual(await gateway.openai.get('/models/org/name'), listed)
  const notFound = { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' } as const
  for (const name of [
    'real-name',
    'org',
    'org/name/',
    'ORG/NAME',
    'org%2Fname',
    ' org/name',
    'constructor',
    '__proto__',
  ])
    await refusal(gateway.openai.models.retrieve(name), notFound)
})

test('only what the key may use is listed, found, and used', async t => {
  const { gateway } = await build(t)
  const openai = await withKey(gateway, { account: 'narrow', models: ['second'] })
  assert.deepEqual(
    (await openai.models.list()).data.map(({ id }) => id),
    ['second'],
  )
  assert.equal((await openai.models.retrieve('second')).id, 'second')
  const notFound = { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' } as const
  await refusal(openai.models.retrieve('org/name'), notFound)
  await refusal(openai.models.retrieve('gpt-4o'), notFound)
})

test('the answer carries the name that was asked for, the backend gets its own', async t => {
  const { gateway, backend } = await build(t)
  for (const model of ['org/name', 'gpt-4o']) {
    const whole = await gateway.openai.chat.completions.create({ ...hello, model })
    assert.equal(whole.model, model)
    for await (const chunk of await gateway.openai.chat.completions.create({ ...hello, model, stream: true }))
      assert.equal(chunk.model, model)
    assert.equal((await gateway.openai.completions.create({ model, prompt: 'x' })).model, model)
  }
  for (const { request } of backend.exchanges.filter(exchange => exchange.request.method === 'POST'))
    assert.equal((request.json as { model: string }).model, 'real-name')
})

test('without a model the only one is meant; where there are several or none, that is said', async t => {
  const { gateway } = await build(t)
  const chat = (openai = gateway.openai) =>
    openai.chat.completions.create({ messages: hello.messages } as unknown as typeof hello)
  const ambiguous = {
    status: 400,
    type: 'invalid_request_error',
    code: null,
    param: 'model',
    message: /more than one/,
  } as const
  await refusal(chat(), ambiguous)
  // Only one of the three serves completions.
  assert.equal((await gateway.openai.completions.create({ prompt: 'x' } as never)).choices.length, 1)
  const narrow = await withKey(gateway, { account: 'narrow', models: ['second'] })
  assert.equal((await chat(narrow)).model, 'second')
  const none = await withKey(gateway, { account: 'none', models: ['nothing'] })
  await refusal(chat(none), { ...ambiguous, message: /no model that this key may use/ })
  const wrongUse = { status: 400, type: 'invalid_request_error', code: null, param: 'model' } as const
  await refusal(gateway.openai.chat.completions.create({ ...hello, model: 'vectors' }), wrongUse)
})

test('what backends offer is listed when they are up, and one name once', async t => {
  const first = await startScriptedBackend(t, llamaServer({ model: 'shared' }))
  const second = await startScriptedBackend(t, openaiServer({ model: 'shared' }))
  const third = await startScriptedBackend(t, openaiServer({ model: 'own' }))
  const env = { WEIR_BACKEND_URL: [first, second, third].map(({ url }) => url).join(',') }
  const { openai } = await buildGateway(t, { env })
  const ids = (await openai.models.list()).data.map(({ id }) => id)
  assert.deepEqual(new Set(ids), new Set(['shared', 'own']))
  assert.equal(ids.length, 2)
})
