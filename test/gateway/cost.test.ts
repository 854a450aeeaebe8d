import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { adminOf } from '../support/admin.ts'
import { errorAnswer } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { type ListOf, type Row, untilStored } from '../support/usage-reports.ts'

const messages = [{ role: 'user' as const, content: 'Hi' }]
const from = '2026-01-01'

async function build(t: TestContext, models: Readonly<Record<string, object>>) {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      routing: { maxAttempts: 1 },
      backends: { main: { url: backend.url, engine: 'llama-server', slots: 100 } },
      models: Object.fromEntries(
        Object.entries(models).map(([name, model]) => [
          name,
          { endpoints: ['chat', 'embeddings'], targets: [{ backend: 'main', model: 'tinychat' }], ...model },
        ]),
      ),
    }),
  })
  const admin = adminOf(gateway)
  const post = async (path: string, body: object) => {
    const response = await gateway.fetch(`${gateway.url}/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, cost: response.headers.get('x-weir-cost'), text: await response.text() }
  }
  /** What the ledger has of requests, by their ids. */
  const costs = async (requests: number) => {
    await untilStored(gateway, admin, requests)
    const { data } = await admin.get<ListOf<Row>>('GET', '/usage/events?limit=1000')
    return new Map(data.map(row => [row['request_id'], row['price_version'] === null ? null : row['cost']]))
  }
  return { gateway, backend, admin, post, costs }
}

const amount = fc.integer({ min: 0, max: 2_000_000_000 }).map(micros => (micros / 1e6).toFixed(6))
const prices = fc.oneof(
  fc.record({ input: amount, cachedInput: amount, output: amount }),
  fc.record({ perSecond: amount }),
)
const counts = fc
  .record({
    promptTokens: fc.integer({ min: 0, max: 100_000 }),
    cachedTokens: fc.integer({ min: 0, max: 100_000 }),
    outputTokens: fc.integer({ min: 0, max: 100_000 }),
  })
  .map(found => ({ ...found, cachedTokens: Math.min(found.promptTokens, found.cachedTokens) }))

type Counts = typeof counts extends fc.Arbitrary<infer Value> ? Value : never

/** In USD, worked out in another way than by the program: text, in units of a pico-USD. */
function costOfTokens(price: { input: string; cachedInput: string; output: string }, used: Counts): string {
  const { promptTokens, cachedTokens, outputTokens } = used
  const parts: [number, string][] = [
    [promptTokens - cachedTokens, price.input],
    [cachedTokens, price.cachedInput],
    [outputTokens, price.output],
  ]
  const picoUsd = parts.reduce((sum, [tokens, usd]) => sum + BigInt(tokens) * BigInt(usd.replace('.', '')), 0n)
  const digits = String((picoUsd + 500n) / 1000n).padStart(10, '0')
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '')
}

test('what a caller is told that a request cost is what the ledger has, for any price and use', async t => {
  const sampled = fc.sample(prices, { numRuns: 12, seed: 20_261_129 })
  const names = sampled.map((_, index) => `model-${index}`)
  const models = Object.fromEntries(sampled.map((price, index) => [names[index], { prices: [{ from, ...price }] }]))
  const { gateway, backend, costs } = await build(t, models)
  const told = new Map<string, string | null>()
  const expected = new Map<string, string>()
  let reports = { promptTokens: 0, cachedTokens: 0, outputTokens: 0 }
  backend.use(llamaServer({ chat: async exchange => chat({ reports })(exchange) }))
  await fc.assert(
    fc.asyncProperty(counts, fc.constantFrom(...names), fc.boolean(), async (used, model, isStream) => {
      reports = used
      const known = told.size
      if (isStream) {
        const asked = { model, messages, stream: true as const, stream_options: { include_usage: true } }
        const { data, response } = await gateway.openai.chat.completions.create(asked).withResponse()
        assert.equal(response.headers.get('x-weir-cost'), null)
        let last: object = {}
        for await (const { usage } of data) if (usage) last = usage
        told.set(String(response.headers.get('x-request-id')), 'weir_cost' in last ? String(last.weir_cost) : null)
      } else {
        const { response } = await gateway.openai.chat.completions.create({ model, messages }).withResponse()
        told.set(String(response.headers.get('x-request-id')), response.headers.get('x-weir-cost'))
      }
      const [id = ''] = Array.from(told.keys()).slice(known)
      const price = sampled[names.indexOf(model)]
      if (price !== undefined && 'input' in price) expected.set(id, costOfTokens(price, used))
    }),
    { numRuns: 60, seed: 20_261_129 },
  )
  assert.equal(told.size, 60)
  assert.ok(Array.from(told.values()).every(cost => cost !== null && /^\d+(\.\d{1,9})?$/.test(cost)))
  assert.ok(expected.size > 20 && expected.size < 60)
  for (const [id, cost] of expected) assert.equal(told.get(id), cost)
  assert.deepEqual(await costs(60), told)
})

test('the cost of an answer is in its header, and of what has no price nothing is said', async t => {
  const { gateway, backend, post, costs } = await build(t, {
    paid: { prices: [{ from, input: '10', output: '50' }] },
    free: { prices: [{ from, input: '0', output: '0' }] },
    unpriced: {},
    later: { prices: [{ from: '2999-01-01', input: '10', output: '50' }] },
  })
  const ask = async (model: string, body: object = {}) =>
    await post('/chat/completions', { model, messages, stream_options: undefined, ...body })

  await t.test('in one piece', async () => {
    assert.deepEqual([(await ask('paid')).cost, (await ask('free')).cost], ['0.00051', '0'])
    assert.deepEqual([(await ask('unpriced')).cost, (await ask('later')).cost], [null, null])
    assert.equal((await post('/embeddings', { model: 'paid', input: 'Hi' })).cost, '0.00002')
  })

  await t.test('in a stream with the usage that was asked for, which stays the last but one event', async () => {
    const stream = async (model: string, usage: boolean) => {
      const { cost, text } = await ask(model, { stream: true, stream_options: { include_usage: usage } })
      assert.equal(cost, null)
      const frames = text.split('\n\n')
      assert.deepEqual(frames.splice(-2), ['data: [DONE]', ''])
      return JSON.parse(frames.at(-1)?.slice('data: '.length) ?? '') as { choices: object[]; usage?: Row }
    }
    const paid = await stream('paid', true)
    assert.deepEqual([paid.choices, paid.usage?.['weir_cost'], paid.usage?.['total_tokens']], [[], '0.00051', 23])
    assert.equal((await stream('free', true)).usage?.['weir_cost'], '0')
    assert.ok(!('weir_cost' in ((await stream('unpriced', true)).usage ?? {})))
    assert.equal((await stream('paid', false)).usage, undefined)
  })

  await t.test('of an error 0, whatever a backend had begun for it, and nothing where nobody was asked', async () => {
    backend.use(llamaServer({ chat: errorAnswer(400, { error: { message: 'no' } }) }))
    const refused = await ask('paid')
    assert.deepEqual([refused.status, refused.cost], [400, '0'])
    backend.use(llamaServer({ chat: chat({ tokens: 9, breaksAfter: 3, breaksBy: 'reset' }) }))
    const broken = await ask('paid')
    assert.deepEqual([broken.status, broken.cost], [502, '0'])
    const unknown = await ask('none')
    assert.deepEqual([unknown.status, unknown.cost], [404, null])
    assert.deepEqual((await ask('paid', { n_predict: 1 })).cost, null)
    const stored = Array.from((await costs(11)).values())
    assert.deepEqual(stored.slice(0, 2), [broken.cost, refused.cost])
  })

  await t.test('the SDK hands it over', async () => {
    backend.use(llamaServer())
    const { response } = await gateway.openai.chat.completions.create({ model: 'paid', messages }).withResponse()
    assert.equal(response.headers.get('x-weir-cost'), '0.00051')
  })
})
