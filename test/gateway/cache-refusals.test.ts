import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callsTool, chatPath, post, question, startCached } from '../support/cached.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { connectRaw } from '../support/raw-client.ts'

test('C06: what was cut, failed, broke off or calls a tool is never kept', async t => {
  const world = await startCached(t, { model: { contextLength: 1000, maxOutputTokens: 100 } })
  const { gateway, backend } = world
  const { key } = await world.caller()
  const behaviours = {
    cut: chat({ finishReason: 'length' }),
    filtered: chat({ finishReason: 'content_filter' }),
    broken: chat({ breaksAfter: 3 }),
    ended: chat({ breaksAfter: 3, breaksBy: 'clean' }),
    failing: chat({ breaksAfter: 3, breaksBy: 'error-event' }),
    tool: callsTool,
  }
  for (const [name, behaviour] of Object.entries(behaviours)) {
    backend.use(llamaServer({ chat: behaviour }))
    for (const stream of [false, true]) {
      const messages = [{ role: 'user', content: `${name} ${stream}` }]
      const before = backend.exchangesTo(chatPath).length
      for (let n = 0; n < 2; n++) {
        const client = await connectRaw(t, gateway.url)
        const headers = { Authorization: `Bearer ${key}` }
        client.request('POST', chatPath, { headers, body: { ...question, messages, stream } })
        const answer = await client.response()
        assert.notEqual(answer.header('x-weir-cache'), 'hit', name)
        client.destroy()
      }
      assert.equal(backend.exchangesTo(chatPath).length, before + 2, `${name}, ${stream ? 'streamed' : 'whole'}`)
    }
  }
  const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
  assert.match(exposed, /weir_cache_unkept_total\{model="tinychat",reason="unfinished"\} [1-9]/)
})

test('an answer of a fallback, and one that is larger than an entry may be, is not kept', async t => {
  const world = await startCached(t, {
    model: { fallback: 'small' },
    models: { small: { targets: [{ backend: 'main', model: 'small' }] } },
    more: { cache: { maxEntry: '1KiB' } },
    behaviour: llamaServer({ chat: chat({ tokens: 1000 }) }),
  })
  const { gateway, backend } = world
  const { key } = await world.caller()
  for (let n = 0; n < 2; n++) assert.equal((await post(gateway, key)).cache, 'miss')
  backend.use(
    llamaServer({
      chat: exchange =>
        Object(exchange.request.json).model === 'small'
          ? chat()(exchange)
          : exchange.json(503, { error: { message: 'x' } }),
    }),
  )
  for (let n = 0; n < 2; n++) {
    const answer = await post(gateway, key)
    assert.deepEqual([answer.cache, answer.headers.get('x-weir-fallback')], ['miss', 'small'])
  }
  const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
  for (const reason of ['too_large', 'fallback']) {
    assert.match(exposed, new RegExp(`weir_cache_unkept_total\\{model="tinychat",reason="${reason}"\\} 2`))
  }
})
