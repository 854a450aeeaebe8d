import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { countBusySlots, longCompletion, openStream, post, start, stream, until } from './engine-fixture.ts'

describe('the embedded engine completes, embeds and lets go', { timeout: 20_000 }, () => {
  const engine = start({ slots: 2, contextLength: 1024 })
  let url = ''
  before(async () => {
    url = await engine.ready
  })
  after(() => engine.stop())

  test('a completion of text, and the same of its token ids', async () => {
    const request = { prompt: 'Once upon a time', temperature: 0, max_tokens: 8 }
    const { body } = await post(url, '/v1/completions', request)
    assert.equal(body.object, 'text_completion')
    assert.equal(body.choices[0].finish_reason, 'length')
    assert.equal(body.usage.completion_tokens, 8)
    const { body: tokenized } = await post(url, '/tokenize', { content: request.prompt })
    const again = await post(url, '/v1/completions', { ...request, prompt: tokenized.tokens })
    assert.equal(again.body.choices[0].text, body.choices[0].text)
    const events = await stream(url, '/v1/completions', request)
    assert.equal(events.map(event => event.choices[0].text).join(''), body.choices[0].text)
    assert.equal(events.at(-1).timings.predicted_n, 8)
  })

  test('log probabilities come as the parallel lists of completions, whole and in a stream', async () => {
    const request = { prompt: 'Once upon a time', temperature: 0, max_tokens: 6, logprobs: 2 }
    const [whole] = (await post(url, '/v1/completions', request)).body.choices
    const { tokens, token_logprobs: values, top_logprobs: tops, text_offset: offsets } = whole.logprobs
    assert.deepEqual(Object.keys(whole.logprobs), ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'])
    assert.equal(tokens.length, 6)
    assert.equal(tokens.join(''), whole.text)
    for (const [place, token] of tokens.entries()) {
      assert.equal([...tokens.slice(0, place).join('')].length, offsets[place])
      assert.ok(values[place] <= 0)
      assert.equal(tops[place][token], values[place])
      assert.ok([2, 3].includes(Object.keys(tops[place]).length))
    }
    const pieces = (await stream(url, '/v1/completions', request)).flatMap(event => event.choices[0].logprobs ?? [])
    assert.deepEqual(
      pieces.flatMap(piece => piece.tokens),
      tokens,
    )
    assert.deepEqual(
      pieces.flatMap(piece => piece.text_offset),
      offsets,
    )
    const { body } = await post(url, '/v1/completions', { ...request, logprobs: undefined })
    assert.equal(body.choices[0].logprobs, null)
  })

  test('several prompts give several choices and one sum', async () => {
    const { body } = await post(url, '/v1/completions', { prompt: ['Once upon', 'The capital', 'I am'], max_tokens: 2 })
    assert.equal(body.choices.length, 3)
    assert.equal(body.usage.completion_tokens, 6)
  })

  test('an answer that fills the context ends with length', async () => {
    const { body } = await post(url, '/v1/completions', longCompletion)
    assert.equal(body.choices[0].finish_reason, 'length')
    assert.equal(body.usage.total_tokens, 1024)
  })

  test('random bytes never come as half a character', async () => {
    const events = await stream(url, '/v1/completions', {
      prompt: '日本語 🙂🙂 ',
      temperature: 4,
      top_k: 0,
      top_p: 1,
      min_p: 0,
      seed: 3,
      max_tokens: 200,
    })
    for (const event of events) assert.ok(event.choices[0].text.isWellFormed())
  })

  test('embeddings: floats and base64 are the same numbers, of length 1', async () => {
    const input = ['hello world', 'The capital of France']
    const floats = await post(url, '/v1/embeddings', { input })
    const base64 = await post(url, '/v1/embeddings', { input, encoding_format: 'base64' })
    assert.equal(floats.body.data.length, 2)
    assert.ok(floats.body.usage.prompt_tokens > 2)
    for (const [index, item] of floats.body.data.entries()) {
      const bytes = Buffer.from(base64.body.data[index].embedding, 'base64')
      const decoded = item.embedding.map((_: number, place: number) => bytes.readFloatLE(place * 4))
      assert.equal(bytes.length, item.embedding.length * 4)
      assert.deepEqual(decoded, item.embedding)
      assert.ok(Math.abs(Math.hypot(...item.embedding) - 1) < 1e-3)
    }
  })

  test('an embedding does not depend on the one before, although both begin alike', async () => {
    const alone = await post(url, '/v1/embeddings', { input: 'hello world' })
    const after = await post(url, '/v1/embeddings', { input: ['hello there', 'hello world', 'hello world'] })
    assert.deepEqual(after.body.data[1].embedding, alone.body.data[0].embedding)
    assert.deepEqual(after.body.data[2].embedding, alone.body.data[0].embedding)
  })

  test('embeddings of token ids are those of the text; ids out of range are a 400', async () => {
    const { body } = await post(url, '/tokenize', { content: 'hello world' })
    const [text, ids, lists] = await Promise.all([
      post(url, '/v1/embeddings', { input: 'hello world' }),
      post(url, '/v1/embeddings', { input: body.tokens }),
      post(url, '/v1/embeddings', { input: [body.tokens, body.tokens] }),
    ])
    assert.deepEqual(ids.body.data[0].embedding, text.body.data[0].embedding)
    assert.deepEqual(lists.body.data[1].embedding, text.body.data[0].embedding)
    for (const input of [[999_999], [-1], [], '', [{}], 'hello '.repeat(1000)]) {
      const { status } = await post(url, '/v1/embeddings', { input })
      assert.equal(status, 400)
    }
  })

  test('a client that leaves frees its slot at once, streaming or waiting in line', async () => {
    const running = await Promise.all([openStream(url, longCompletion), openStream(url, longCompletion)])
    assert.equal(await countBusySlots(url), 2)
    const inLine = new AbortController()
    const waiting = fetch(`${url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify(longCompletion),
      signal: inLine.signal,
    })
    const next = openStream(url, { ...longCompletion, max_tokens: 1 })
    inLine.abort()
    await assert.rejects(waiting)
    const leftAtMs = performance.now()
    for (const client of running) client.leave()
    await next
    await until(async () => (await countBusySlots(url)) === 0)
    // The three long ones would have taken seconds; the bound is wide for a busy machine.
    assert.ok(performance.now() - leftAtMs < 500, `freed after ${performance.now() - leftAtMs} ms`)
  })

  test('a client that leaves a request that is not streamed frees its slot too', async () => {
    const abort = new AbortController()
    const request = { method: 'POST', body: JSON.stringify(longCompletion), signal: abort.signal }
    const waiting = fetch(`${url}/v1/completions`, request)
    await until(async () => (await countBusySlots(url)) === 1)
    const leftAtMs = performance.now()
    abort.abort()
    await assert.rejects(waiting)
    await until(async () => (await countBusySlots(url)) === 0)
    assert.ok(performance.now() - leftAtMs < 500, `freed after ${performance.now() - leftAtMs} ms`)
  })
})
