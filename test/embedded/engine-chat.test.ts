import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { capitalOfFrance, get, post, start, stream, weatherInParis } from './engine-fixture.ts'

const path = '/v1/chat/completions'

describe('the embedded engine chats', { timeout: 20_000 }, () => {
  const engine = start()
  let url = ''
  before(async () => {
    url = await engine.ready
  })
  after(() => engine.stop())

  test('a whole answer: shape, text, and usage that equals the timings', async () => {
    const { status, body } = await post(url, path, { ...capitalOfFrance, temperature: 0 })
    assert.equal(status, 200)
    assert.equal(body.object, 'chat.completion')
    assert.equal(body.model, 'weir-demo')
    assert.match(body.id, /^chatcmpl-/)
    assert.equal(body.choices[0].finish_reason, 'stop')
    assert.equal(body.choices[0].message.role, 'assistant')
    assert.match(body.choices[0].message.content, /Paris/)
    assert.equal(body.usage.prompt_tokens, body.timings.cache_n + body.timings.prompt_n)
    assert.equal(body.usage.completion_tokens, body.timings.predicted_n)
    assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens)
    const count = await post(url, `${path}/input_tokens`, capitalOfFrance)
    assert.equal(count.body.input_tokens, body.usage.prompt_tokens)
  })

  test('a stream: role first, then text, then the reason with timings', async () => {
    const events = await stream(url, path, { ...capitalOfFrance, temperature: 0 })
    assert.deepEqual(events[0].choices[0].delta, { role: 'assistant', content: null })
    const text = events.slice(1, -1).map(event => event.choices[0].delta.content)
    assert.match(text.join(''), /Paris/)
    const last = events.at(-1)
    assert.equal(last.choices[0].finish_reason, 'stop')
    assert.equal(last.timings.predicted_n, text.length)
    assert.equal(new Set(events.map(event => `${event.id} ${event.created} ${event.model} ${event.object}`)).size, 1)
  })

  test('a stream with usage ends in a chunk without choices; timings stand in every chunk when asked', async () => {
    const events = await stream(url, path, {
      ...capitalOfFrance,
      stream_options: { include_usage: true },
      timings_per_token: true,
      max_tokens: 3,
    })
    const last = events.at(-1)
    assert.deepEqual(last.choices, [])
    assert.equal(last.usage.completion_tokens, 3)
    assert.equal(last.usage.prompt_tokens, last.timings.prompt_n)
    assert.equal(events.at(-2).choices[0].finish_reason, 'length')
    const counted = events.slice(1, -2).map(event => event.timings.predicted_n)
    assert.deepEqual(counted, [1, 2, 3])
    assert.equal(events[1].timings.prompt_n, last.timings.prompt_n)
  })

  test('max_completion_tokens wins over max_tokens', async () => {
    const { body } = await post(url, path, { ...capitalOfFrance, max_tokens: 50, max_completion_tokens: 2 })
    assert.equal(body.usage.completion_tokens, 2)
    assert.equal(body.choices[0].finish_reason, 'length')
  })

  for (const tool_choice of [undefined, 'required', { type: 'function', function: { name: 'get_weather' } }]) {
    test(`a tool call, whole and streamed, with tool_choice ${JSON.stringify(tool_choice)}`, async () => {
      const request = { ...weatherInParis, tool_choice }
      const { body } = await post(url, path, request)
      const [choice] = body.choices
      assert.equal(choice.finish_reason, 'tool_calls')
      assert.equal(choice.message.tool_calls[0].function.name, 'get_weather')
      assert.equal(typeof JSON.parse(choice.message.tool_calls[0].function.arguments).city, 'string')
      assert.ok(choice.message.tool_calls[0].id.length > 8)

      const events = await stream(url, path, request)
      const deltas = events.flatMap(event => event.choices[0].delta.tool_calls ?? [])
      assert.equal(deltas[0].function.name, 'get_weather')
      const streamed = deltas.map(delta => delta.function.arguments).join('')
      assert.deepEqual(JSON.parse(streamed), JSON.parse(choice.message.tool_calls[0].function.arguments))
      assert.equal(events.at(-1).choices[0].finish_reason, 'tool_calls')
    })
  }

  test('no tool call with tool_choice none, and a 400 for a tool that is not there', async () => {
    const none = await post(url, path, { ...weatherInParis, tool_choice: 'none' })
    assert.equal(none.body.choices[0].message.tool_calls, undefined)
    const unknown = { type: 'function', function: { name: 'nope' } }
    const { status } = await post(url, path, { ...weatherInParis, tool_choice: unknown })
    assert.equal(status, 400)
  })

  test('the result of a tool call is answered', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Paris"}' } }
    const messages = [
      ...weatherInParis.messages,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: '{"weather": "sunny", "temperature": 21}' },
    ]
    const { body } = await post(url, path, { ...weatherInParis, messages })
    assert.equal(body.choices[0].finish_reason, 'stop')
    assert.notEqual(body.choices[0].message.content, '')
  })

  test('a JSON schema and json_object give JSON', async () => {
    const schema = { type: 'object', properties: { capital: { type: 'string', maxLength: 12 } }, required: ['capital'] }
    const constrained = { type: 'json_schema', json_schema: { name: 'answer', schema } }
    const { body } = await post(url, path, { ...capitalOfFrance, temperature: 0, response_format: constrained })
    assert.deepEqual(Object.keys(JSON.parse(body.choices[0].message.content)), ['capital'])
    const events = await stream(url, path, {
      ...capitalOfFrance,
      temperature: 0,
      response_format: { type: 'json_object' },
    })
    const text = events.map(event => event.choices[0].delta.content ?? '').join('')
    assert.equal(typeof JSON.parse(text), 'object')
  })

  test('a stop sequence across tokens ends the text before it, whole and streamed', async () => {
    for (const stop of ['tal of', ['nowhere', 'tal of']]) {
      const request = { ...capitalOfFrance, temperature: 0, stop }
      const { body } = await post(url, path, request)
      assert.equal(body.choices[0].message.content, 'The capi')
      assert.equal(body.choices[0].finish_reason, 'stop')
      const events = await stream(url, path, request)
      assert.equal(events.map(event => event.choices[0].delta.content ?? '').join(''), 'The capi')
    }
  })

  test('the same seed gives the same text, and the choices of one request differ', async () => {
    const request = {
      messages: [{ role: 'user', content: 'Tell me a story' }],
      temperature: 2,
      seed: 7,
      max_tokens: 40,
      n: 2,
    }
    const [one, two] = await Promise.all([post(url, path, request), post(url, path, request)])
    const texts = one.body.choices.map((choice: { message: { content: string } }) => choice.message.content)
    assert.deepEqual(
      texts,
      two.body.choices.map((choice: { message: { content: string } }) => choice.message.content),
    )
    assert.notEqual(texts[0], texts[1])
  })

  test('n=2 reads the prompt once and counts both answers, whole and streamed', async () => {
    const request = { ...capitalOfFrance, n: 2, max_tokens: 3 }
    const { body } = await post(url, path, request)
    assert.deepEqual(
      body.choices.map((choice: { index: number }) => choice.index),
      [0, 1],
    )
    assert.equal(body.usage.completion_tokens, 6)
    const count = await post(url, `${path}/input_tokens`, capitalOfFrance)
    assert.equal(body.usage.prompt_tokens, count.body.input_tokens)
    const events = await stream(url, path, { ...request, stream_options: { include_usage: true } })
    assert.deepEqual(events.at(-1).usage, body.usage)
    const reasons = events.flatMap(event => event.choices).filter(choice => choice.finish_reason === 'length')
    assert.deepEqual(reasons.map(choice => choice.index).sort(), [0, 1])
  })

  test('log probabilities in the shape of OpenAI, with bytes', async () => {
    const request = {
      ...capitalOfFrance,
      logprobs: true,
      top_logprobs: 3,
      max_tokens: 2,
      temperature: 2,
      top_p: 1,
      min_p: 0,
    }
    const { body } = await post(url, path, request)
    const { content } = body.choices[0].logprobs
    assert.equal(content.map((entry: { token: string }) => entry.token).join(''), body.choices[0].message.content)
    for (const entry of content) {
      assert.deepEqual(Buffer.from(entry.bytes).toString(), entry.token)
      assert.ok(entry.logprob <= 0)
      assert.ok(entry.top_logprobs.length >= 1 && entry.top_logprobs.length <= 3)
    }
    const events = await stream(url, path, request)
    assert.equal(events.flatMap(event => event.choices[0].logprobs?.content ?? []).length, 2)
  })

  test('text parts are joined; an image is refused', async () => {
    const text = { type: 'text', text: 'What is the capital of France?' }
    const parts = { messages: [{ role: 'user', content: [text] }], temperature: 0 }
    const { body } = await post(url, path, parts)
    assert.match(body.choices[0].message.content, /Paris/)
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }
    const refused = await post(url, path, { messages: [{ role: 'user', content: [text, image] }] })
    assert.equal(refused.status, 400)
    assert.match(refused.body.error.message, /image input is not supported/)
  })

  test('it introduces itself as a llama-server', async () => {
    const props = await get(url, '/props')
    assert.equal(props.body.total_slots, 4)
    assert.equal(props.body.default_generation_settings.n_ctx, 512)
    const models = await get(url, '/v1/models')
    assert.equal(models.body.data[0].id, 'weir-demo')
    const health = await fetch(`${url}/health`)
    assert.equal(health.headers.get('server'), 'llama.cpp')
    assert.deepEqual(await health.json(), { status: 'ok' })
  })
})
