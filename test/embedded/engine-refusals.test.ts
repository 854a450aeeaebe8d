import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { capitalOfFrance, get, post, start } from './engine-fixture.ts'

const path = '/v1/chat/completions'

describe('the embedded engine refuses what it cannot do, and survives', { timeout: 20_000 }, () => {
  const engine = start()
  let url = ''
  before(async () => {
    url = await engine.ready
  })
  after(() => engine.stop())

  test('a schema that the engine cannot follow is a 400, not a crash', async () => {
    const deep = JSON.parse(`${'{"type":"array","items":'.repeat(3000)}{}${'}'.repeat(3000)}`)
    const schemas = [
      { type: 'object', properties: { a: { type: 'string', pattern: '(?=x)y[' } }, required: ['a'] },
      { type: 'string', minLength: 100_000 },
      { type: 'array', items: { type: 'string' }, maxItems: 5000 },
      { type: 'string', pattern: '^a{5000}$' },
      { $ref: '#' },
      deep,
    ]
    for (const schema of schemas) {
      const response_format = { type: 'json_schema', json_schema: { schema } }
      const { status } = await post(url, path, { ...capitalOfFrance, response_format })
      assert.equal(status, 400)
      const tools = [
        { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { a: schema } } } },
      ]
      const called = await post(url, path, { ...capitalOfFrance, tools, tool_choice: 'required', max_tokens: 1 })
      assert.ok(called.status === 400 || called.status === 200)
    }
    assert.equal((await post(url, path, { ...capitalOfFrance, max_tokens: 1 })).status, 200)
  })

  test('a prompt longer than the context is llama-server’s 400, streamed or not', async () => {
    const messages = [{ role: 'user', content: 'hello '.repeat(1000) }]
    for (const isStream of [false, true]) {
      const { status, body } = await post(url, path, { messages, stream: isStream })
      assert.equal(status, 400)
      assert.equal(body.error.type, 'exceed_context_size_error')
      assert.equal(body.error.code, 400)
      assert.equal(body.error.n_ctx, 512)
      assert.ok(body.error.n_prompt_tokens > 1000)
    }
  })

  test('what is wrong is said, and the engine survives it', async () => {
    const wrong: [object, RegExp][] = [
      [{}, /'messages' is required/],
      [{ messages: [{ content: 'hi' }] }, /Missing 'role'/],
      [{ ...capitalOfFrance, temperature: 'hot' }, /'temperature' must be a number/],
      [{ ...capitalOfFrance, logit_bias: { 773: -100 } }, /'logit_bias' is not supported/],
      [{ ...capitalOfFrance, n: 9 }, /'n' must be a whole number from 1 to 4/],
      [{ ...capitalOfFrance, repeat_penalty: -1 }, /penalty/],
      [{ ...capitalOfFrance, tools: {} }, /'tools' must be an array/],
    ]
    for (const [request, message] of wrong) {
      const { status, body } = await post(url, path, request)
      assert.match(body.error.message, message)
      assert.equal(status, 400)
      assert.equal(body.error.code, 400)
    }
    const malformed = await fetch(url + path, { method: 'POST', body: '{' })
    assert.equal(malformed.status, 400)
    assert.equal((await get(url, '/nope')).status, 404)
    assert.equal((await get(url, path)).status, 404)
  })
})
