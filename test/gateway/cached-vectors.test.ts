import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerOf, post, price, startCached } from '../support/cached.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { storeKinds } from '../support/limited.ts'
import { connectRaw } from '../support/raw-client.ts'

const path = '/v1/embeddings'

/** The vector of an input says which it is, in numbers that single precision has. */
const vectorOf = (input: unknown): readonly number[] => [
  JSON.stringify(input).length,
  String(input).charCodeAt(0) / 64,
  0.5,
  -1,
]

const embedding = llamaServer({
  embeddings: exchange => {
    const { input, encoding_format: format } = Object(exchange.request.json) as {
      input: unknown
      encoding_format?: string
    }
    const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input : [input]
    const data = inputs.map((one, index) => {
      const vector = vectorOf(one)
      const bytes = Buffer.from(Float32Array.from(vector).buffer).toString('base64')
      return { object: 'embedding', index, embedding: format === 'base64' ? bytes : vector }
    })
    // Last first: by their numbers they are in order.
    return exchange.json(200, {
      object: 'list',
      model: 'm',
      data: data.toReversed(),
      usage: { prompt_tokens: 3 * inputs.length, total_tokens: 3 * inputs.length },
    })
  },
})

const vectorsOf = (body: Record<string, unknown>) => (body['data'] as { embedding: number[] }[]).map(it => it.embedding)

for (const store of storeKinds) {
  test(`of a batch with known inputs a backend is asked for the rest only (kept in ${store})`, async t => {
    const world = await startCached(t, { store, behaviour: embedding, cache: { priceShare: 0.5 } })
    const { gateway, backend } = world
    const { key, openai } = await world.caller()
    const inputs = Array.from({ length: 9 }, (_, n) => `text ${'abcdefghi'[n]}`)
    const first = await post(gateway, key, { model: 'tinychat', input: inputs }, { path })
    assert.deepEqual([first.cache, first.headers.get('x-weir-cached-inputs')], ['miss', '0'])
    assert.deepEqual(vectorsOf(first.body), inputs.map(vectorOf))
    assert.deepEqual(first.body['usage'], { prompt_tokens: 27, total_tokens: 27 })

    const more = ['new', ...inputs.toReversed(), 'new']
    const second = await post(gateway, key, { model: 'tinychat', input: more }, { path })
    assert.deepEqual([second.cache, second.headers.get('x-weir-cached-inputs')], ['miss', '9'])
    assert.deepEqual(vectorsOf(second.body), more.map(vectorOf))
    assert.deepEqual(second.body['usage'], { prompt_tokens: 30, total_tokens: 30 })
    const asked = backend.exchangesTo(path).map(({ request }) => Object(request.json).input)
    assert.deepEqual(asked, [inputs, ['new']])

    const third = await post(gateway, key, { model: 'tinychat', input: 'new' }, { path })
    assert.deepEqual([third.cache, third.headers.get('age')], ['hit', '0'])
    // The SDK asks for base64 by itself; what was kept is turned into whatever is asked for.
    const { data } = await openai.embeddings.create({ model: 'tinychat', input: ['new', 'text a'] })
    assert.deepEqual(
      data.map(it => it.embedding),
      [vectorOf('new'), vectorOf('text a')],
    )
    assert.equal(backend.exchangesTo(path).length, 2)

    const ledger = await ledgerOf(world, 4)
    // 10 USD for a million of input tokens, and half of it for those that were known.
    assert.equal(price.input, '10.00')
    assert.deepEqual(
      ledger.map(({ status, inputTokens, costNanoUsd }) => [status, inputTokens, costNanoUsd]),
      [
        ['ok', 27, 270_000],
        ['ok', 3, 30_000 + 135_000],
        ['cache_hit', 0, 15_000],
        ['cache_hit', 0, 30_000],
      ],
    )
  })
}

test('other dimensions, another account and tokens are other inputs; a batch says what the same input twice is', async t => {
  const world = await startCached(t, { behaviour: embedding })
  const { gateway, backend } = world
  const [one, two] = [await world.caller(), await world.caller()]
  const asks: readonly [string, object][] = [
    [one.key, { input: 'a' }],
    [two.key, { input: 'a' }],
    [one.key, { input: 'a', dimensions: 4 }],
    [one.key, { input: [97] }],
    [one.key, { input: [[97], [98]] }],
    [one.key, { input: ['b', 'b'] }],
  ]
  const cached: unknown[] = []
  for (const [key, body] of asks) {
    const answer = await post(gateway, key, { model: 'tinychat', ...body }, { path })
    cached.push([answer.cache, answer.headers.get('x-weir-cached-inputs')])
  }
  assert.deepEqual(cached, [
    ['miss', '0'],
    ['miss', '0'],
    ['miss', '0'],
    ['miss', '0'],
    ['miss', '1'],
    ['miss', '0'],
  ])
  assert.deepEqual(Object(backend.exchangesTo(path).at(-1)?.request.json).input, ['b'])
})

test('where the first one leaves, what others have waited for is kept as well', async t => {
  const gate = Promise.withResolvers<void>()
  const world = await startCached(t, {
    behaviour: async exchange => {
      if (exchange.request.path === path) await gate.promise
      await embedding(exchange)
    },
  })
  const { gateway, backend } = world
  const { key } = await world.caller()
  const body = { model: 'tinychat', input: ['a', 'b'] }
  const first = await connectRaw(t, gateway.url)
  first.request('POST', path, { headers: { Authorization: `Bearer ${key}` }, body })
  await backend.nextRequest(path)
  const second = post(gateway, key, body, { path })
  await eventually('both to wait', async () => {
    const exposed = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
    return exposed.includes('weir_cache_requests_total{model="tinychat",result="miss"} 2\n')
  })
  first.destroy()
  await ledgerOf(world, 1)
  gate.resolve()
  assert.deepEqual(vectorsOf((await second).body), [vectorOf('a'), vectorOf('b')])
  assert.equal((await post(gateway, key, body, { path })).cache, 'hit')
  assert.equal(backend.exchangesTo(path).length, 1)
})

test('what a fallback makes is not kept as the vectors of the model, nor put beside them in one answer', async t => {
  let isDown = false
  const world = await startCached(t, {
    behaviour: llamaServer({
      embeddings: exchange => {
        const { model, input } = Object(exchange.request.json) as { model: string; input: string[] }
        if (model === 'tinychat' && isDown) return exchange.json(503, { error: { message: 'down' } })
        const vector = model === 'tinychat' ? [1, 0] : [0, 1]
        const data = input.map((_, index) => ({ object: 'embedding', index, embedding: vector }))
        return exchange.json(200, { object: 'list', data, usage: { prompt_tokens: 3, total_tokens: 3 } })
      },
    }),
    model: { fallback: 'other' },
    models: { other: { endpoints: ['embeddings'], targets: [{ backend: 'main', model: 'another' }] } },
    more: { routing: { maxAttempts: 2 } },
  })
  const { key } = await world.caller()
  const ask = async (...input: string[]) => {
    const { cache, headers, body } = await post(world.gateway, key, { model: 'tinychat', input }, { path })
    return [cache, headers.get('x-weir-cached-inputs'), headers.get('x-weir-fallback'), vectorsOf(body)]
  }
  const [own, others] = [
    [1, 0],
    [0, 1],
  ]
  assert.deepEqual(await ask('a'), ['miss', '0', null, [own]])
  isDown = true
  assert.deepEqual(await ask('a', 'b'), ['miss', '0', 'other', [others, others]])
  assert.deepEqual(await ask('c'), ['miss', '0', 'other', [others]])
  isDown = false
  assert.deepEqual(await ask('a', 'b', 'c'), ['miss', '1', null, [own, own, own]])
  const ledger = await ledgerOf(world, 4)
  assert.deepEqual(
    ledger.map(({ status, answeredModel, inputTokens }) => [status, answeredModel, inputTokens]),
    [
      ['ok', 'tinychat', 3],
      ['ok', 'other', 3],
      ['ok', 'other', 3],
      ['ok', 'tinychat', 3],
    ],
  )
})

test('who asks for the same inputs at the same time waits for one call', async t => {
  const gate = Promise.withResolvers<void>()
  const world = await startCached(t, {
    behaviour: async exchange => {
      if (exchange.request.path === path) await gate.promise
      await embedding(exchange)
    },
  })
  const { key } = await world.caller()
  const asking = Array.from({ length: 5 }, () =>
    post(world.gateway, key, { model: 'tinychat', input: ['a', 'b'] }, { path }),
  )
  await world.backend.nextRequest(path)
  // Those that come later find it kept, which is as well.
  gate.resolve()
  const answers = await Promise.all(asking)
  for (const { status, body } of answers) {
    assert.equal(status, 200)
    assert.deepEqual(vectorsOf(body), [vectorOf('a'), vectorOf('b')])
  }
  assert.equal(world.backend.exchangesTo(path).length, 1)
  const ledger = await ledgerOf(world, 5)
  assert.equal(
    ledger.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    6,
  )
})

test('inputs are looked up only for who is let in: a small request may ask for megabytes of vectors', async t => {
  const world = await startCached(t, { behaviour: embedding, tiers: { free: { limits: { requestsPerDay: 1 } } } })
  const { key } = await world.caller()
  const lookups = async () => {
    const exposed = await (await world.gateway.fetch(`${world.gateway.url}/metrics`)).text()
    return /^weir_cache_lookup_duration_seconds_count (\d+)$/m.exec(exposed)?.[1]
  }
  const statuses: number[] = []
  for (let n = 0; n < 3; n++) {
    statuses.push((await post(world.gateway, key, { model: 'tinychat', input: ['a', 'b'] }, { path })).status)
  }
  assert.deepEqual(statuses, [200, 429, 429])
  assert.equal(await lookups(), '1')
})
