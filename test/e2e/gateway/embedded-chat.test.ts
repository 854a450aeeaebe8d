import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type OpenAI from 'openai'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { buildGateway, type Gateway } from '../../support/gateway.ts'

const model = 'weir-demo'
const question = { model, messages: [{ role: 'user' as const, content: 'What is the capital of France?' }] }
/** Long enough to be left in the middle. */
const endless = { model, prompt: 'a b c', temperature: 0, max_tokens: 1500 }

/** A gateway with no backend configured, once its own engine has loaded its model. */
async function buildEmbedded(t: TestContext): Promise<Gateway & { readonly engineUrl: string }> {
  const gateway = await buildGateway(t)
  const { engine } = gateway.app
  assert.ok(engine !== null)
  return { ...gateway, engineUrl: await engine.process.ready }
}

/** What the engine itself answers, asked without Weir between. */
async function askEngine<Answer>(engineUrl: string, path: string, body?: object): Promise<Answer> {
  const response = await boundedFetch(
    engineUrl + path,
    body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) },
  )
  assert.equal(response.status, 200)
  return (await response.json()) as Answer
}

test('the embedded engine chats through the SDK', { timeout: 60_000 }, async t => {
  const gateway = await buildEmbedded(t)
  const { openai, engineUrl } = gateway
  const chat = openai.chat.completions

  await t.test('an answer of real tokens, the same and with the same usage as the engine itself gives', async () => {
    for (const seed of [1, 2]) {
      const request = { ...question, seed, temperature: 0.8, max_tokens: 24 }
      const ours = await chat.create(request)
      const theirs = await askEngine<OpenAI.ChatCompletion>(engineUrl, '/v1/chat/completions', request)
      assert.equal(ours.choices[0]?.message.content, theirs.choices[0]?.message.content)
      assert.equal(ours.choices[0]?.finish_reason, theirs.choices[0]?.finish_reason)
      const { prompt_tokens, completion_tokens, total_tokens } = theirs.usage ?? {}
      const { usage } = ours
      assert.ok(usage !== undefined && usage.completion_tokens > 3)
      assert.deepEqual(
        [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
        [prompt_tokens, completion_tokens, total_tokens],
      )
      const counted = await askEngine<{ input_tokens: number }>(
        engineUrl,
        '/v1/chat/completions/input_tokens',
        question,
      )
      assert.equal(usage.prompt_tokens, counted.input_tokens)
      assert.equal('timings' in ours, false)
    }
    const greedy = await chat.create({ ...question, temperature: 0 })
    assert.match(greedy.choices[0]?.message.content ?? '', /Paris/)
    assert.equal(greedy.model, model)
  })

  await t.test('a stream says the same as the whole answer, one chunk a token', async () => {
    const whole = await chat.create({ ...question, temperature: 0 })
    const chunks = await Array.fromAsync(await chat.create({ ...question, temperature: 0, stream: true }))
    const text = chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join('')
    assert.equal(text, whole.choices[0]?.message.content)
    assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant')
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'stop')
    assert.equal(new Set(chunks.map(({ id, created, model: name }) => `${id} ${created} ${name}`)).size, 1)
    assert.ok(chunks.every(chunk => !('timings' in chunk) && chunk.usage === undefined))
    assert.ok(chunks.length > 4)
  })

  await t.test('a stream with include_usage ends in a chunk with the usage of the whole answer', async () => {
    const whole = await chat.create({ ...question, temperature: 0 })
    const stream = await chat.create({
      ...question,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await Array.fromAsync(stream)
    const last = chunks.at(-1)
    assert.deepEqual(last?.choices, [])
    assert.equal(last?.usage?.prompt_tokens, whole.usage?.prompt_tokens)
    assert.equal(last?.usage?.completion_tokens, whole.usage?.completion_tokens)
  })

  await t.test('the SDK assembles a stream into the answer', async () => {
    const stream = chat.stream({ ...question, temperature: 0 })
    const final = await stream.finalChatCompletion()
    assert.match(final.choices[0]?.message.content ?? '', /Paris/)
  })

  await t.test('tools: the one that is asked for is called, whole and in a stream', async () => {
    const request = {
      model,
      temperature: 0,
      messages: [{ role: 'user' as const, content: 'What is the weather in Paris?' }],
      tools: [weatherTool],
    }
    for (const tool_choice of ['required', { type: 'function', function: { name: 'get_weather' } }] as const) {
      const [choice] = (await chat.create({ ...request, tool_choice })).choices
      assert.equal(choice?.finish_reason, 'tool_calls')
      checkWeatherCall(choice?.message.tool_calls?.[0])
      const streamed = await chat.stream({ ...request, tool_choice }).finalChatCompletion()
      checkWeatherCall(streamed.choices[0]?.message.tool_calls?.[0])
    }
    const none = await chat.create({ ...request, tool_choice: 'none', max_tokens: 8 })
    assert.equal(none.choices[0]?.message.tool_calls, undefined)
  })

  await t.test('a tool result goes back into the conversation', async () => {
    const call = {
      id: 'call_1',
      type: 'function' as const,
      function: { name: 'get_weather', arguments: '{"city":"Paris"}' },
    }
    const reply = await chat.create({
      model,
      max_tokens: 16,
      messages: [
        { role: 'user', content: 'What is the weather in Paris?' },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: '{"temperature":21}' },
      ],
      tools: [weatherTool],
    })
    assert.equal(reply.choices[0]?.message.role, 'assistant')
  })

  await t.test('a JSON schema holds the answer', async () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 20 }, size: { type: 'integer', minimum: 0, maximum: 9 } },
      required: ['city', 'size'],
      additionalProperties: false,
    }
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'city', schema, strict: true } }
    const reply = await chat.create({ ...question, response_format, temperature: 0 })
    const value = JSON.parse(reply.choices[0]?.message.content ?? '')
    assert.deepEqual(Object.keys(value), ['city', 'size'])
    assert.equal(typeof value.city, 'string')
    assert.ok(Number.isInteger(value.size))
  })

  await t.test('logprobs: one for each token, with the alternatives that were asked for', async () => {
    const request = { ...question, temperature: 0, max_tokens: 4, logprobs: true, top_logprobs: 3 }
    const whole = await chat.create(request)
    const entries = whole.choices[0]?.logprobs?.content ?? []
    assert.equal(entries.length, whole.usage?.completion_tokens)
    for (const { logprob, top_logprobs, token } of entries) {
      assert.ok(logprob <= 0)
      // The engine names no more than its samplers left to choose from.
      assert.ok(top_logprobs.length >= 1 && top_logprobs.length <= 3)
      assert.ok(top_logprobs.some(other => other.token === token))
    }
    const chunks = await Array.fromAsync(await chat.create({ ...request, stream: true }))
    const streamed = chunks.flatMap(chunk => chunk.choices[0]?.logprobs?.content ?? [])
    assert.deepEqual(
      streamed.map(({ token }) => token),
      entries.map(({ token }) => token),
    )
  })

  await t.test('stop ends the answer before the text, max_tokens after so many tokens', async () => {
    const whole = (await chat.create({ ...question, temperature: 0 })).choices[0]?.message.content ?? ''
    const stopped = await chat.create({ ...question, temperature: 0, stop: ['Paris'] })
    assert.equal(stopped.choices[0]?.message.content, whole.slice(0, whole.indexOf('Paris')))
    assert.equal(stopped.choices[0]?.finish_reason, 'stop')
    for (const bound of [{ max_tokens: 2 }, { max_completion_tokens: 2 }]) {
      const cut = await chat.create({ ...question, temperature: 0, ...bound })
      assert.equal(cut.choices[0]?.finish_reason, 'length')
      assert.equal(cut.usage?.completion_tokens, 2)
    }
  })

  await t.test('the same seed gives the same answer', async () => {
    const ask = async (seed: number) =>
      (await openai.completions.create({ ...endless, seed, temperature: 1.5, max_tokens: 20 })).choices[0]?.text
    assert.equal(await ask(7), await ask(7))
    const others = await Promise.all([1, 2, 3, 4, 5].map(ask))
    assert.ok(new Set(others).size > 1)
  })

  await t.test('n=2: two choices, and the tokens of both are counted', async () => {
    const request = { ...question, n: 2, temperature: 0, max_tokens: 6 }
    const whole = await chat.create(request)
    assert.deepEqual(
      whole.choices.map(({ index }) => index),
      [0, 1],
    )
    assert.equal(whole.usage?.completion_tokens, 12)
    const chunks = await Array.fromAsync(
      await chat.create({ ...request, stream: true, stream_options: { include_usage: true } }),
    )
    for (const { index, message } of whole.choices) {
      const own = chunks.flatMap(({ choices }) => choices).filter(choice => choice.index === index)
      assert.equal(own.map(({ delta }) => delta.content ?? '').join(''), message.content)
      assert.equal(own.at(-1)?.finish_reason, 'length')
    }
    assert.equal(chunks.filter(({ usage }) => usage).length, 1)
    assert.equal(chunks.at(-1)?.usage?.completion_tokens, 12)
  })

  await t.test('a caller that leaves frees the slot at once, of a stream and of a whole answer', async () => {
    const countBusy = async () =>
      (await askEngine<{ is_processing: boolean }[]>(engineUrl, '/slots')).filter(slot => slot.is_processing).length
    const stream = await openai.completions.create({ ...endless, stream: true })
    // `break` aborts the request.
    for await (const _chunk of stream) break
    await eventually('the slot of the stream is free', async () => (await countBusy()) === 0)
    const leave = new AbortController()
    const whole = openai.completions.create(endless, { signal: leave.signal })
    const left = assert.rejects(whole, { name: 'Error', message: 'Request was aborted.' })
    await eventually('the whole answer is under way', async () => (await countBusy()) === 1)
    leave.abort()
    await left
    await eventually('its slot is free', async () => (await countBusy()) === 0, { withinMs: 1000 })
    const leavers = () =>
      gateway.logLines.filter(entry => entry['operation'] === 'completions' && entry['outcome'] === 'client-gone')
    await eventually('both are in the log', () => leavers().length === 2)
    assert.deepEqual(
      leavers().map(line => line['status']),
      [200, 499],
    )
  })
})

const weatherTool = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Get the weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

function checkWeatherCall(call: OpenAI.Chat.Completions.ChatCompletionMessageToolCall | undefined): void {
  assert.ok(call?.type === 'function')
  assert.ok(call.id.length > 8)
  assert.equal(call.function.name, 'get_weather')
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string')
}
