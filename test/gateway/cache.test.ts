import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerNanoUsd, chatPath, ledgerOf, numbered, post, question, startCached } from '../support/cached.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { settledAt, storeKinds } from '../support/limited.ts'

for (const store of storeKinds) {
  test(`what was answered before is answered again without the backend (kept in ${store})`, async t => {
    const world = await startCached(t, {
      store,
      tiers: { free: { limits: { requestsPerDay: 100, tokensPerDay: 100_000 }, spendLimits: { perDay: '1' } } },
    })
    const { gateway, backend } = world
    const caller = await world.caller()
    const first = await post(gateway, caller.key)
    assert.deepEqual([first.status, first.cache, first.headers.get('age')], [200, 'miss', null])

    const again = await post(gateway, caller.key)
    assert.deepEqual([again.status, again.cache, again.headers.get('age')], [200, 'hit', '0'])
    assert.equal(again.headers.get('x-weir-cost'), '0')
    const { id: firstId, created: _made, ...said } = first.body
    const { id, created, ...repeated } = again.body
    assert.deepEqual(repeated, said)
    assert.match(String(id), /^chatcmpl-/)
    assert.notEqual(id, firstId)
    assert.ok(Math.abs(Number(created) - Date.now() / 1000) < 60)

    // As the official SDK reads it, with the usage at the end.
    const stream = await caller.openai.chat.completions.create({
      ...question,
      stream: true,
      stream_options: { include_usage: true },
    })
    const events = await Array.fromAsync(stream)
    assert.equal(events.map(event => event.choices[0]?.delta.content ?? '').join(''), 'The capital of France is Paris.')
    assert.equal(new Set(events.map(event => event.id)).size, 1)
    assert.equal(events.filter(event => event.choices[0]?.finish_reason === 'stop').length, 1)
    const { prompt_tokens: input, completion_tokens: output } = events.at(-1)?.usage ?? {}
    assert.deepEqual([input, output], [16, 7])

    assert.equal(backend.exchangesTo(chatPath).length, 1)
    // Each is one request and one event; the tokens and the cost are those of the one that a backend has worked on.
    await settledAt(caller, 'requests_per_day', 3)
    await settledAt(caller, 'tokens_per_day', 23)
    await settledAt(caller, 'spend_per_day', '0.00051')
    const ledger = await ledgerOf(world, 3)
    assert.deepEqual(
      ledger.map(event => [event.status, event.inputTokens + event.outputTokens, event.costNanoUsd, event.backend]),
      [
        ['ok', 23, answerNanoUsd, 'main'],
        ['cache_hit', 0, 0, null],
        ['cache_hit', 0, 0, null],
      ],
    )
    assert.deepEqual(
      ledger.map(({ answeredModel, attempts, error }) => [answeredModel, attempts.length, error]),
      [
        ['tinychat', 1, null],
        ['tinychat', 0, null],
        ['tinychat', 0, null],
      ],
    )
    const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
    for (const line of [
      'weir_cache_requests_total{model="tinychat",result="hit"} 2',
      'weir_cache_requests_total{model="tinychat",result="miss"} 1',
      'weir_cache_saved_tokens_total{model="tinychat",kind="input"} 32',
      'weir_cache_saved_tokens_total{model="tinychat",kind="output"} 14',
      'weir_cache_saved_cost_usd_total{model="tinychat"} 0.00102',
      'weir_cache_lookup_duration_seconds_count 3',
    ]) {
      assert.ok(exposed.includes(`${line}\n`), line)
    }
    assert.match(exposed, /weir_cache_bytes [1-9]/)
  })
}

test('a stream that was relayed is kept too, and costs its share when it is given again', async t => {
  const world = await startCached(t, { cache: { priceShare: 0.25 }, behaviour: llamaServer({ chat: numbered() }) })
  const { gateway, backend } = world
  const caller = await world.caller()
  const stream = { ...question, stream: true as const, stream_options: { include_usage: true } }
  const texts: string[] = []
  const costs: unknown[] = []
  for (let n = 0; n < 2; n++) {
    const events = await Array.fromAsync(await caller.openai.chat.completions.create(stream))
    texts.push(events.map(event => event.choices[0]?.delta.content ?? '').join(''))
    costs.push((events.at(-1)?.usage as { weir_cost?: string } | undefined)?.weir_cost)
  }
  assert.deepEqual(texts, ['answer 0', 'answer 0'])
  // 16 tokens at 10 USD a million and 2 at 50, and a quarter of that.
  assert.deepEqual(costs, ['0.00026', '0.000065'])
  const whole = await post(gateway, caller.key)
  assert.deepEqual([whole.cache, whole.headers.get('x-weir-cost')], ['hit', '0.000065'])
  assert.equal(backend.exchangesTo(chatPath).length, 1)
  const ledger = await ledgerOf(world, 3)
  assert.deepEqual(
    ledger.map(({ costNanoUsd }) => costNanoUsd),
    [260_000, 65_000, 65_000],
  )
})

test('C03: another account, another model, instructions, tool, temperature, seed or bound is a miss', async t => {
  const world = await startCached(t, {
    models: { other: { targets: [{ backend: 'main', model: 'tinychat' }], cache: { mode: 'deterministic' } } },
    tiers: { free: {}, short: { maxTokens: { cap: 50 } } },
  })
  const { gateway, backend } = world
  const [one, two, short] = [await world.caller(), await world.caller(), await world.caller({ tier: 'short' })]
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const asks: readonly [string, object][] = [
    [one.key, question],
    [two.key, question],
    [short.key, question],
    [one.key, { ...question, model: 'other' }],
    [one.key, { ...question, messages: [{ role: 'system', content: 'x' }, ...question.messages] }],
    [one.key, { ...question, tools }],
    [one.key, { ...question, temperature: 1, seed: 1 }],
    [one.key, { ...question, seed: 1 }],
    [one.key, { ...question, seed: 2 }],
    [one.key, { ...question, max_tokens: 3, n: 1 }],
  ]
  for (const [index, [key, body]] of asks.entries()) {
    const { cache } = await post(gateway, key, body)
    assert.equal(cache, 'miss', JSON.stringify(asks[index]))
  }
  assert.equal(backend.exchangesTo(chatPath).length, asks.length)
  // Another key of the same account is the same account.
  const sister = await world.caller({ account: one.account })
  assert.equal((await post(gateway, sister.key)).cache, 'hit')
})

test('accounts share the answers of a model that says so', async t => {
  const world = await startCached(t, { cache: { scope: 'shared' } })
  const [one, two] = [await world.caller(), await world.caller()]
  assert.equal((await post(world.gateway, one.key)).cache, 'miss')
  assert.equal((await post(world.gateway, two.key)).cache, 'hit')
})

test('a request says by header or body that it wants no old answer, or that its own is not to be kept', async t => {
  const world = await startCached(t, { behaviour: llamaServer({ chat: numbered() }) })
  const { gateway, backend } = world
  const { key } = await world.caller()
  const ask = async (body: object, headers: Record<string, string> = {}) => {
    const answer = await post(gateway, key, { ...question, ...body }, { headers })
    const [choice] = answer.body['choices'] as { message: { content: string } }[]
    return [answer.cache, choice?.message.content]
  }
  assert.deepEqual(await ask({}), ['miss', 'answer 0'])
  assert.deepEqual(await ask({ cache: false }), ['bypass', 'answer 1'])
  assert.deepEqual(await ask({}, { 'cache-control': 'no-store' }), ['bypass', 'answer 2'])
  assert.deepEqual(await ask({}), ['hit', 'answer 0'])
  assert.deepEqual(await ask({}, { 'cache-control': 'no-cache' }), ['bypass', 'answer 3'])
  await eventually('the new answer', async () => (await ask({}))[1] === 'answer 3')
  assert.deepEqual(await ask({ cache: { max_age: 0 } }), ['bypass', 'answer 4'])
  await eventually('the new answer', async () => (await ask({}))[1] === 'answer 4')
  assert.deepEqual(await ask({ temperature: 0.7 }), ['bypass', 'answer 5'])
  assert.deepEqual(await ask({ temperature: 0.7, cache: true }), ['bypass', 'answer 6'])
  // None of it is for the backend.
  for (const { request } of backend.exchangesTo(chatPath)) assert.equal('cache' in Object(request.json), false)
  const wrong = await gateway.fetch(`${gateway.url}${chatPath}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...question, cache: { ttl: 5 } }),
  })
  assert.equal(wrong.status, 400)
  assert.match(await wrong.text(), /cache/)
})

test('a model without a cache says nothing of one, and asks each time, whatever the request says', async t => {
  const world = await startCached(t, { model: { cache: { mode: 'off' } } })
  const { key } = await world.caller()
  for (const body of [question, question, { ...question, cache: true }]) {
    const { cache, headers } = await post(world.gateway, key, body)
    assert.deepEqual([cache, headers.get('x-weir-cache-key')], [null, null])
  }
  assert.equal(world.backend.exchangesTo(chatPath).length, 3)
})

test('text completions are kept as well, also of an engine that is asked for one piece', async t => {
  const world = await startCached(t, { behaviour: vllmServer(), of: { engine: 'vllm' } })
  const { gateway, backend } = world
  const { key, openai } = await world.caller()
  const body = { model: 'tinychat', prompt: 'hi', temperature: 0 }
  const path = '/v1/completions'
  const first = await post(gateway, key, body, { path })
  const again = await post(gateway, key, body, { path })
  assert.deepEqual([first.cache, again.cache], ['miss', 'hit'])
  assert.deepEqual(again.body['choices'], first.body['choices'])
  const events = await Array.fromAsync(await openai.completions.create({ ...body, stream: true }))
  assert.equal(events.map(event => event.choices[0]?.text ?? '').join(''), 'The capital of France is Paris.')
  assert.equal(backend.exchangesTo(path).length, 1)
})
