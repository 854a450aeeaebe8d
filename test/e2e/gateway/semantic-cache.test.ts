import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf } from '../../support/admin.ts'
import { type CachedOptions, chatPath, ledgerOf, numbered, post, startCached } from '../../support/cached.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import type { Limited } from '../../support/limited.ts'

/** Vectors by what the question says of itself; most are near each other. */
const embeddings: Behaviour = exchange => {
  const { input = '' } = Object(exchange.request.json) as { input?: string }
  // It never answers.
  if (input.includes('slow')) return undefined
  if (input.includes('broken')) return exchange.json(500, { error: { message: 'broken' } })
  const vector = input.startsWith('Hi') ? [1, 1, 0] : input.startsWith('How') ? [1, 0, 0] : [1, 0.1, 0]
  const usage = { prompt_tokens: 5, total_tokens: 5 }
  return exchange.json(200, { object: 'list', data: [{ object: 'embedding', index: 0, embedding: vector }], usage })
}

async function startSemantic(t: Parameters<typeof startCached>[0], options: CachedOptions = {}): Promise<Limited> {
  return await startCached(t, {
    isEmbedded: true,
    behaviour: llamaServer({ chat: numbered(), embeddings }),
    models: { embed: { endpoints: ['embeddings'], targets: [{ backend: 'main' }] } },
    ...options,
    cache: { semantic: { embeddingModel: 'embed', budget: '300ms' }, ...options.cache },
  })
}

const say = (content: string, more: object = {}) => ({
  model: 'tinychat',
  messages: [{ role: 'user', content }],
  temperature: 0,
  ...more,
})

const egg = 'How do I boil an egg?'
const alike = 'Please tell me how to boil an egg.'

async function questionsOf({ gateway }: Limited, count: number): Promise<void> {
  await eventually(`${count} questions`, async () => {
    const [row] = await gateway.app.sql<{ count: number }[]>`select count(*)::integer as count from semantic_entries`
    return row?.count === count
  })
}

const metricsOf = async ({ gateway }: Limited): Promise<string> =>
  await (await gateway.fetch(`${gateway.url}/metrics`)).text()

test('C05: a question is answered as one that means the same, within one account, model, prompt and guard', async t => {
  const world = await startSemantic(t)
  const { gateway, backend } = world
  const [ann, bob] = [await world.caller({ semanticCache: true }), await world.caller({ semanticCache: true })]
  const plain = await world.caller({ account: ann.account })
  await eventually('pgvector is there', async () =>
    (await metricsOf(world)).includes('semantic_cache_usable{extension="vector"} 1'),
  )

  const first = await post(gateway, ann.key, say(egg))
  assert.deepEqual([first.cache, first.headers.get('x-weir-cache-similarity')], ['miss', null])
  await questionsOf(world, 1)
  const near = await post(gateway, ann.key, say(alike))
  assert.deepEqual([near.status, near.cache, near.headers.get('x-weir-cache-similarity')], [200, 'semantic', '0.9950'])
  assert.equal(near.headers.get('x-weir-cache-key'), first.headers.get('x-weir-cache-key'))
  assert.equal(near.headers.get('age'), '0')
  assert.deepEqual(near.body['choices'], first.body['choices'])
  assert.notEqual(near.body['id'], first.body['id'])
  const stream = await ann.openai.chat.completions.create({ ...say(alike), stream: true } as never)
  let text = ''
  for await (const event of stream as unknown as AsyncIterable<{ choices: { delta: { content?: string } }[] }>) {
    text += event.choices[0]?.delta.content ?? ''
  }
  assert.equal(text, 'answer 0')
  assert.deepEqual(
    (await ledgerOf(world, 3)).map(({ status, costNanoUsd }) => [status, costNanoUsd > 0]),
    [
      ['ok', true],
      ['cache_hit', false],
      ['cache_hit', false],
    ],
  )

  const misses: readonly (readonly [string, string, object])[] = [
    ['another number', ann.key, say('How do I boil 2 eggs?')],
    ['a negation', ann.key, say('How do I not boil an egg?')],
    ['another account', bob.key, say(alike)],
    ['a key that does not want it', plain.key, say(alike)],
    [
      'another system prompt',
      ann.key,
      say('', { messages: [{ role: 'system', content: 'Be short.' }, ...say(alike).messages] }),
    ],
    [
      'an earlier turn',
      ann.key,
      say('', { messages: [...say('Hi').messages, { role: 'assistant', content: 'Hi' }, ...say(alike).messages] }),
    ],
    ['another bound', ann.key, say(alike, { max_tokens: 7 })],
    ['a seed', ann.key, say(alike, { seed: 1 })],
    ['another form', ann.key, say(alike, { response_format: { type: 'json_object' } })],
    ['tools', ann.key, say(alike, { tools: [{ type: 'function', function: { name: 'f' } }] })],
  ]
  for (const [what, key, body] of misses) assert.equal((await post(gateway, key, body)).cache, 'miss', what)
  const asked = backend.exchangesTo(chatPath).length
  assert.equal(asked, 1 + misses.length)
  assert.equal((await post(gateway, ann.key, say(alike), { headers: { 'cache-control': 'no-store' } })).cache, 'bypass')
  const exposed = await metricsOf(world)
  for (const line of [
    'weir_semantic_cache_lookups_total{model="tinychat",result="hit"} 2',
    'weir_semantic_cache_unasked_total{model="tinychat",reason="turns"} 1',
    'weir_semantic_cache_unasked_total{model="tinychat",reason="format"} 1',
    'weir_semantic_cache_unasked_total{model="tinychat",reason="tools"} 1',
    'weir_semantic_cache_usable{extension="vector"} 1',
    'weir_semantic_cache_similarity_count{model="tinychat"} 2',
    'weir_cache_requests_total{model="tinychat",result="semantic"} 2',
  ]) {
    assert.ok(exposed.includes(`${line}\n`), line)
  }
  assert.match(exposed, /weir_semantic_cache_embedded_tokens_total\{model="embed"\} [1-9]/)
  // Neither the log nor the database has a word of what was asked.
  const rows = await gateway.app.sql`select row_to_json(e)::text from semantic_entries e`
  assert.doesNotMatch(JSON.stringify([rows, gateway.logLines]), /boil|egg/)

  // Who wants only newer ones takes the answer from nobody else.
  await eventually('it to be two seconds old', async () => {
    const { headers } = await post(gateway, ann.key, say(egg))
    return Number(headers.get('age')) >= 2
  })
  const other = 'Could you tell me how to boil an egg?'
  assert.equal((await post(gateway, ann.key, say(other), { headers: { 'cache-control': 'max-age=1' } })).cache, 'miss')
  const kept = async () => {
    const found = await gateway.app.sql<{ key: string }[]>`select entry_key as key from semantic_entries`
    return found.map(({ key }) => key)
  }
  await eventually('the newer answer', async () => (await kept()).length === rows.length + 1)
  assert.ok((await kept()).includes(first.headers.get('x-weir-cache-key') ?? ''))

  await adminOf(gateway).get('DELETE', `/cache?account=${encodeURIComponent(ann.account)}`)
  assert.equal((await post(gateway, ann.key, say(alike))).cache, 'miss')
  assert.equal((await post(gateway, bob.key, say(egg))).cache, 'semantic')
})

test('C05: what is far, late, broken or gone is a miss and no error, and a slow embedding is waited for no longer than the budget', async t => {
  const world = await startSemantic(t)
  const { gateway } = world
  const { key } = await world.caller({ semanticCache: true })
  await eventually('pgvector is there', async () =>
    (await metricsOf(world)).includes('semantic_cache_usable{extension="vector"} 1'),
  )
  for (const content of ['Is this slow?', 'Is this broken?']) {
    const answer = await post(gateway, key, say(content))
    assert.deepEqual([answer.status, answer.cache], [200, 'miss'], content)
  }
  await post(gateway, key, say(egg))
  await questionsOf(world, 1)
  assert.equal((await post(gateway, key, say(`Hi, ${egg}`))).cache, 'miss')
  await questionsOf(world, 2)
  // Its answer is gone, and its question goes with the first look-up that finds it.
  await gateway.app.cache.forget({ kind: 'model', model: 'tinychat' })
  assert.equal((await post(gateway, key, say(alike))).cache, 'miss')
  await eventually('the question is gone', async () => {
    const [row] = await gateway.app.sql<{ keys: number }[]>`
      select count(distinct entry_key)::integer as keys from semantic_entries`
    return row?.keys === 2
  })
  const exposed = await metricsOf(world)
  for (const result of ['late', 'failed', 'gone', 'far']) {
    assert.ok(exposed.includes(`weir_semantic_cache_lookups_total{model="tinychat",result="${result}"} 1\n`), result)
  }
})

test('C05: a PostgreSQL without pgvector is said once, in the log and in a metric, and everything else works', async t => {
  const world = await startSemantic(t, { isEmbedded: false })
  const { gateway } = world
  const { key } = await world.caller({ semanticCache: true })
  const lines = () => gateway.logLines.filter(({ msg }) => String(msg).startsWith('semantic cache'))
  await eventually('it is said', () => lines().length > 0)
  for (const [content, cache] of [
    [egg, 'miss'],
    [alike, 'miss'],
    [egg, 'hit'],
  ] as const) {
    const answer = await post(gateway, key, say(content))
    assert.deepEqual([answer.status, answer.cache], [200, cache])
  }
  assert.deepEqual(
    lines().map(({ level, msg }) => [level, msg]),
    [[50, 'semantic cache: off, as the database cannot do it']],
  )
  assert.match(String(lines()[0]?.['reason']), /does not have the extension: install pgvector 0\.8/)
  assert.ok((await metricsOf(world)).includes('weir_semantic_cache_usable{extension="vector"} 0\n'))
})
