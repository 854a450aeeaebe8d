import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { refusal, withKey } from '../support/api-error.ts'
import { replay } from '../support/behaviours.ts'
import { llamaServer, openaiServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const vector = [0.5, -1.25, 3, 1e-3]
const floats = [...Float32Array.from(vector)]
const base64 = Buffer.from(Float32Array.from(vector).buffer).toString('base64')

/** Answers every input with the same vector, in this form whatever was asked for. */
const alwaysIn =
  (embedding: unknown): Behaviour =>
  exchange => {
    const { input } = exchange.request.json as { input: unknown }
    const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input : [input]
    return exchange.json(200, {
      object: 'list',
      model: 'theirs',
      data: inputs.map((_, index) => ({ object: 'embedding', index, embedding })),
      usage: { prompt_tokens: 2, total_tokens: 2 },
    })
  }

async function build(t: TestContext, embeddings?: Behaviour) {
  const backend = await startScriptedBackend(
    t,
    openaiServer({ dimensions: 4, ...(embeddings === undefined ? {} : { embeddings }) }),
  )
  return { backend, gateway: await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } }) }
}

for (const [form, embedding] of [
  ['floats', floats],
  ['base64', base64],
] as const) {
  test(`a backend that only gives ${form}: each caller gets what it asked for`, async t => {
    const { gateway, backend } = await build(t, alwaysIn(embedding))
    const { embeddings } = gateway.openai
    const request = { model: 'tinychat', input: ['a', 'b'] }
    // The SDK asks for base64 and decodes it.
    const byDefault = await embeddings.create(request)
    assert.deepEqual(
      byDefault.data.map(item => [...item.embedding]),
      [floats, floats],
    )
    const [asked] = backend.exchangesTo('/v1/embeddings')
    assert.equal(Object(asked?.request.json).encoding_format, 'base64')
    const asFloats = await embeddings.create({ ...request, encoding_format: 'float' })
    assert.deepEqual(asFloats.data[0]?.embedding, floats)
    const asText = await embeddings.create({ ...request, encoding_format: 'base64' })
    assert.equal(asText.data[0]?.embedding as unknown, base64)
    // Without a word about it the API's default is floats.
    const raw = await gateway.fetch(`${gateway.url}/v1/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'a' }),
    })
    const body = (await raw.json()) as { data: { embedding: number[] }[]; model: string; usage: object }
    assert.equal(body.data[0]?.embedding.length, 4)
    assert.equal(body.model, 'tinychat')
    assert.deepEqual(body.usage, { prompt_tokens: 2, total_tokens: 2 })
  })
}

test('the four kinds of input, and their bound', async t => {
  const { gateway } = await build(t)
  const create = (input: string | string[] | number[] | number[][]) =>
    gateway.openai.embeddings.create({ model: 'tinychat', input })
  assert.equal((await create('text')).data.length, 1)
  assert.equal((await create(['a', 'b', 'c'])).data.length, 3)
  assert.equal((await create([1, 2, 3])).data.length, 1)
  assert.equal((await create([[1, 2], [3]])).data.length, 2)
  const most = await create(Array.from({ length: 2048 }, (_, i) => `text ${i}`))
  assert.deepEqual(
    most.data.map(item => [item.index, item.embedding[0]]),
    Array.from({ length: 2048 }, (_, i) => [i, i + 1]),
  )
  const invalid = { status: 400, type: 'invalid_request_error', code: null } as const
  await refusal(create(Array.from({ length: 2049 }, () => 'x')), { ...invalid, param: 'input', message: /2048/ })
  await refusal(create(Array.from({ length: 2049 }, () => [1])), { ...invalid, param: 'input', message: /2048/ })
  await refusal(create([]), { ...invalid, param: 'input' })
  await refusal(create(''), { ...invalid, param: 'input' })
  await refusal(create(['a', '']), { ...invalid, param: 'input[1]' })
  await refusal(create([1.5]), { ...invalid, param: 'input[0]' })
  await refusal(create([-1]), { ...invalid, param: 'input[0]' })
})

test("llama-server's own answers, recorded: an array, base64, floats, and a text too long for its batch", async t => {
  const backend = await startScriptedBackend(t)
  const { openai } = await buildGateway(t, {
    yaml: `backends: { one: { url: '${backend.url}', engine: llama-server } }
models: { vectors: { endpoints: [embeddings], targets: [{ backend: one }] } }`,
  })
  const create = (input: string[]) => openai.embeddings.create({ model: 'vectors', input })
  for (const [name, input] of [
    ['302-embed-array', ['a', 'b', 'c']],
    ['303-embed-base64', ['a']],
    ['304-embed-float', ['a']],
  ] as const) {
    backend.use(llamaServer({ embeddings: replay(name) }))
    const { data, usage } = await create([...input])
    const length = data[0]?.embedding.length ?? 0
    assert.ok(length > 16, `${name}: ${length}`)
    for (const { embedding } of data) {
      assert.equal(embedding.length, length)
      const norm = Math.hypot(...embedding)
      assert.ok(Math.abs(norm - 1) < 1e-3, `${name}: a unit vector, of length ${norm}`)
    }
    assert.ok(usage.prompt_tokens > 0)
  }
  backend.use(llamaServer({ embeddings: replay('311-embed-too-long-for-batch') }))
  await refusal(create(['a']), {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
    param: 'input',
  })
})

test('a backend that gives no vectors is at fault, and a scope is a scope', async t => {
  const { gateway, backend } = await build(t)
  const create = () => gateway.openai.embeddings.create({ model: 'tinychat', input: 'x' })
  const row = { status: 502, type: 'server_error', code: 'upstream_error' } as const
  for (const embedding of ['AAA', 'AAAAAAA=', '%%%%', '', [], 7, null, [1, 'x'], { 0: 1 }]) {
    backend.use(openaiServer({ embeddings: alwaysIn(embedding) }))
    await refusal(create(), row)
  }
  const chatOnly = await withKey(gateway, { account: 'chat', scopes: ['chat'] })
  await refusal(chatOnly.embeddings.create({ model: 'tinychat', input: 'x' }), {
    status: 403,
    type: 'permission_error',
    code: 'insufficient_permissions',
  })
})

test('one vector for each input, whole, and of the dimensions that were asked for', async t => {
  const { gateway, backend } = await build(t)
  const ask = (behaviour: Behaviour, body: object) => {
    backend.use(openaiServer({ dimensions: 4, embeddings: behaviour }))
    return gateway.openai.embeddings.create({ model: 'tinychat', encoding_format: 'float', input: ['a', 'b'], ...body })
  }
  const onlyOne: Behaviour = exchange => exchange.json(200, { object: 'list', data: [{ embedding: floats, index: 0 }] })
  await assert.rejects(ask(onlyOne, {}), { status: 502, code: 'upstream_error' })
  await assert.rejects(ask(alwaysIn([1e300]), {}), { status: 502, code: 'upstream_error' })
  await assert.rejects(ask(alwaysIn(floats), { dimensions: 8 }), { status: 400, param: 'dimensions' })
  const bare: Behaviour = exchange => exchange.json(200, { data: [{ embedding: floats }, { embedding: floats }] })
  const answer = await ask(bare, { dimensions: 4 })
  assert.deepEqual(
    answer.data.map(({ object, index }) => [object, index]),
    [
      ['embedding', 0],
      ['embedding', 1],
    ],
  )
})
