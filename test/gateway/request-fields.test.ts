import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { onEnd } from '../support/cleanup.ts'
import { llamaServer } from '../support/engines.ts'
import { adminKey, type Gateway } from '../support/gateway.ts'
import { gatewayBefore, hello, type Json, question } from '../support/inference.ts'
import { type ScriptedBackend, startScriptedBackend } from '../support/scripted-backend.ts'

const paths = { chat: '/v1/chat/completions', completions: '/v1/completions', embeddings: '/v1/embeddings' } as const
const bodies = {
  chat: question,
  completions: { model: 'tinychat', prompt: 'x' },
  embeddings: { model: 'tinychat', input: 'x' },
} as const
type Operation = keyof typeof paths

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  return { backend, gateway: await gatewayBefore(t, backend) }
}

async function post({ url, fetch }: Gateway, operation: Operation, body: object) {
  const response = await fetch(url + paths[operation], {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Json & { error?: Json },
  }
}

const sentTo = (backend: ScriptedBackend, operation: Operation) =>
  backend.exchangesTo(paths[operation]).map(({ request }) => JSON.parse(request.body.toString()) as Json)

describe('H08 what reaches a backend', () => {
  const engineOnly: Json = {
    n_predict: 1e9,
    n_discard: 5,
    id_slot: 0,
    lora: [{ id: 0, scale: 1 }],
    cache_prompt: true,
    chat_template: '{{ x }}',
    grammar: 'root ::= "a"',
    samplers: ['top_k'],
    guided_regex: '(a+)+$',
    guided_json: {},
    structured_outputs: {},
    timings_per_token: true,
    verbose: true,
    return_progress: true,
    ignore_eos: true,
    mirostat: 2,
    logits_processors: ['os.system'],
    cache_salt: 'x',
    kv_transfer_params: {},
    options: { num_ctx: 1e6 },
    keep_alive: -1,
    api_base: 'http://127.0.0.1/',
  }

  for (const operation of Object.keys(paths) as Operation[]) {
    test(`H08 a field of an engine is 400 and named: ${operation}`, async t => {
      const { backend, gateway } = await build(t)
      for (const [name, value] of Object.entries(engineOnly)) {
        const { status, body } = await post(gateway, operation, { ...bodies[operation], [name]: value })
        assert.equal(status, 400, name)
        assert.equal(body.error?.param, name)
      }
      assert.deepEqual(sentTo(backend, operation), [])
    })
  }

  test('H08 a value out of its range is 400 and named', async t => {
    const { backend, gateway } = await build(t)
    const wrong: [Operation, Json, string][] = [
      ['chat', { n: 1e9 }, 'n'],
      ['chat', { n: 0 }, 'n'],
      ['chat', { logprobs: true, top_logprobs: 100_000 }, 'top_logprobs'],
      ['chat', { logprobs: 5 }, 'logprobs'],
      ['chat', { max_tokens: -1 }, 'max_tokens'],
      ['chat', { max_completion_tokens: 1e12 }, 'max_completion_tokens'],
      ['chat', { temperature: -3 }, 'temperature'],
      ['chat', { top_p: 1.1 }, 'top_p'],
      ['chat', { top_k: 1e9 }, 'top_k'],
      ['chat', { repeat_penalty: 1e9 }, 'repeat_penalty'],
      ['chat', { seed: 1e30 }, 'seed'],
      ['chat', { logit_bias: { '1': 1e9 } }, 'logit_bias["1"]'],
      ['chat', { stop: Array(17).fill('x') }, 'stop'],
      ['chat', { chat_template_kwargs: { chat_template: 'x' } }, 'chat_template_kwargs.chat_template'],
      ['chat', { chat_template_kwargs: { deep: { er: 1 } } }, 'chat_template_kwargs.deep'],
      ['completions', { logprobs: 6 }, 'logprobs'],
      ['completions', { echo: true }, 'echo'],
      ['completions', { best_of: 20 }, 'best_of'],
      ['embeddings', { dimensions: 0 }, 'dimensions'],
      ['embeddings', { input: Array(2049).fill('x') }, 'input'],
    ]
    for (const [operation, fields, param] of wrong) {
      const { status, body } = await post(gateway, operation, { ...bodies[operation], ...fields })
      assert.deepEqual([status, body.error?.param], [400, param])
    }
    assert.deepEqual(backend.exchangesTo(paths.chat), [])
  })

  test('H08 the body holds what is on the list and nothing else, at any depth', async t => {
    const { backend, gateway } = await build(t)
    const unknown = { foo: 1, Cookie: 'x', 'x-evil\r\nhost: y': 1, constructor: 1, toString: 1 }
    const { status, headers } = await post(gateway, 'chat', {
      model: 'tinychat',
      messages: [{ ...hello[0], ...unknown, grammar: 'x' }],
      tools: [{ type: 'function', ...unknown, function: { name: 'f', parameters: { free: 1 }, ...unknown } }],
      tool_choice: 'auto',
      response_format: { type: 'text', schema: {}, ...unknown },
      temperature: 0.5,
      user: 'someone',
      store: true,
      metadata: { a: 'b' },
      top_k: null,
      ...unknown,
    })
    assert.equal(status, 200)
    assert.equal(headers.get('x-weir-ignored-fields'), 'foo, constructor')
    const { max_tokens, stream, stream_options, ...rest } = sentTo(backend, 'chat')[0] ?? {}
    assert.deepEqual(rest, {
      model: 'tinychat',
      messages: hello,
      tools: [{ type: 'function', function: { name: 'f', parameters: { free: 1 } } }],
      tool_choice: 'auto',
      response_format: { type: 'text' },
      temperature: 0.5,
    })
    assert.ok(Number.isInteger(max_tokens))
    assert.deepEqual([stream, stream_options], [true, { include_usage: true }])
  })

  test('H08 one bound on the answer is sent, whatever names it came by', async t => {
    const { backend, gateway } = await build(t)
    await post(gateway, 'chat', { ...question, max_tokens: 50, max_completion_tokens: 7 })
    const [sent] = sentTo(backend, 'chat')
    assert.equal(sent?.max_tokens, 7)
    assert.ok(sent !== undefined && !('max_completion_tokens' in sent))
  })
})

describe('H09 addresses in a request', () => {
  /** Listens on every loopback address and counts who comes. */
  async function listenEverywhere(t: TestContext) {
    const seen: string[] = []
    const server = createServer(socket => {
      seen.push(String(socket.localAddress))
      socket.destroy()
    })
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    onEnd(t, () => new Promise<void>(resolve => void server.close(() => resolve())))
    return { port: (server.address() as AddressInfo).port, seen }
  }

  test('H09 none is ever called, wherever it stands', async t => {
    const { backend, gateway } = await build(t)
    const { port, seen } = await listenEverywhere(t)
    const hosts = ['127.0.0.1', '127.8.9.10', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', 'localhost', '0.0.0.0']
    for (const url of [...hosts, '[::ffff:127.0.0.1]'].map(host => `http://${host}:${port}/a.png`)) {
      const image = (value: string) => ({
        ...question,
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: value } }] }],
      })
      const audio = { type: 'input_audio', input_audio: { data: url, format: 'wav' } }
      const refused: [object, string][] = [
        [image(url), 'messages[0].content[0].image_url.url'],
        [image(` ${url}`), 'messages[0].content[0].image_url.url'],
        [image(url.replace('http', 'HTTP')), 'messages[0].content[0].image_url.url'],
        [image(`data:image/png;base64,${url}`), 'messages[0].content[0].image_url.url'],
        [{ ...question, messages: [{ role: 'user', content: [audio] }] }, 'messages[0].content[0].input_audio.data'],
        [{ ...question, api_base: url }, 'api_base'],
        [{ ...question, base_url: url }, 'base_url'],
      ]
      for (const [body, param] of refused) {
        const { status, body: answer } = await post(gateway, 'chat', body)
        assert.deepEqual([status, answer.error?.param], [400, param], url)
      }
      const schema = { $ref: url, $schema: url, $id: url }
      const taken = {
        ...question,
        user: url,
        metadata: { url },
        webhook_url: url,
        response_format: { type: 'json_schema', json_schema: { name: 'n', schema } },
      }
      assert.equal((await post(gateway, 'chat', taken)).status, 200)
      const sent = sentTo(backend, 'chat').at(-1)
      assert.deepEqual(sent?.response_format, taken.response_format)
      assert.ok(!JSON.stringify({ ...sent, response_format: null }).includes(url))
    }
    assert.deepEqual(seen, [])
  })

  test('H09 a redirect from a backend is not followed', async t => {
    const { backend, gateway } = await build(t)
    const { port, seen } = await listenEverywhere(t)
    for (const status of [301, 302, 303, 307, 308]) {
      backend.use(exchange => exchange.answer(status, [['Location', `http://127.0.0.1:${port}/`]], ''))
      for (const operation of Object.keys(paths) as Operation[]) {
        assert.equal((await post(gateway, operation, bodies[operation])).status, 502)
      }
    }
    assert.deepEqual(seen, [])
  })
})
