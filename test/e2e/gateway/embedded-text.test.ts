import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { buildGateway } from '../../support/gateway.ts'

const model = 'weir-demo'

test('the embedded engine completes texts, embeds and names its model through the SDK', {
  timeout: 60_000,
}, async t => {
  const { openai, app } = await buildGateway(t)
  const url = await app.engine?.process.ready
  assert.ok(url !== undefined)

  await t.test('a completion, whole and streamed, counted as the engine counts', async () => {
    const request = { model, prompt: 'The capital of France', temperature: 0, max_tokens: 10 }
    const whole = await openai.completions.create(request)
    assert.equal(whole.object, 'text_completion')
    const [choice] = whole.choices
    assert.ok((choice?.text.length ?? 0) > 3)
    const chunks = await Array.fromAsync(
      await openai.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }),
    )
    assert.equal(chunks.map(chunk => chunk.choices[0]?.text ?? '').join(''), choice?.text)
    const response = await boundedFetch(`${url}/v1/completions`, { method: 'POST', body: JSON.stringify(request) })
    const engine = (await response.json()) as typeof whole
    assert.equal(engine.choices[0]?.text, choice?.text)
    for (const usage of [whole.usage, chunks.at(-1)?.usage]) {
      assert.equal(usage?.prompt_tokens, engine.usage?.prompt_tokens)
      assert.equal(usage?.completion_tokens, engine.usage?.completion_tokens)
    }
  })

  await t.test('several prompts make several choices, in their order, all counted', async () => {
    const request = { model, prompt: ['The capital of France', 'The capital of Spain'], temperature: 0, max_tokens: 5 }
    const whole = await openai.completions.create(request)
    assert.deepEqual(
      whole.choices.map(({ index }) => index),
      [0, 1],
    )
    const chunks = await Array.fromAsync(await openai.completions.create({ ...request, stream: true }))
    for (const { index, text } of whole.choices) {
      const own = chunks.flatMap(({ choices }) => choices).filter(choice => choice.index === index)
      assert.equal(own.map(choice => choice.text).join(''), text)
    }
    assert.equal(whole.usage?.completion_tokens, 10)
  })

  await t.test('token numbers are a prompt, too', async () => {
    const answer = await openai.completions.create({ model, prompt: [5, 6, 7], max_tokens: 2, temperature: 0 })
    assert.equal(answer.usage?.completion_tokens, 2)
  })

  await t.test('embeddings: as the SDK asks by default, as floats, of one text and of several', async () => {
    const input = ['The capital of France is Paris.', 'A cat sleeps.', 'The capital of France is Paris.']
    const byDefault = await openai.embeddings.create({ model, input })
    const asFloats = await openai.embeddings.create({ model, input, encoding_format: 'float' })
    assert.equal(byDefault.data.length, 3)
    const [first, second, third] = byDefault.data.map(({ embedding }) => [...embedding])
    assert.ok(first && second && third && first.length >= 32)
    assert.deepEqual(first, third)
    assert.notDeepEqual(first, second)
    for (const [i, { embedding }] of asFloats.data.entries()) {
      const other = byDefault.data[i]?.embedding ?? []
      assert.ok(embedding.every((value, at) => Math.abs(value - (other[at] ?? Number.NaN)) < 1e-5))
    }
    assert.equal(byDefault.usage.prompt_tokens, asFloats.usage.prompt_tokens)
    assert.ok(byDefault.usage.prompt_tokens > 10)
    const one = await openai.embeddings.create({ model, input: input[0] ?? '' })
    assert.equal(one.data.length, 1)
  })

  await t.test('the model is listed and found', async () => {
    const [listed, ...others] = (await openai.models.list()).data
    assert.deepEqual(others, [])
    assert.deepEqual({ ...listed, created: 0 }, { id: model, object: 'model', created: 0, owned_by: 'weir' })
    assert.deepEqual(await openai.models.retrieve(model), listed)
  })
})
