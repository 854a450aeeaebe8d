import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hello } from '../../support/api-error.ts'
import { llamaServer, openaiServer, vllmServer } from '../../support/engines.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { buildTarget } from '../../support/hostile.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

/** What the engines read beside OpenAI's fields, and what other gateways let through to other servers. */
const engineOnly = [
  ...[
    'n_discard',
    'n_predict',
    'n_keep',
    'n_probs',
    'n_indent',
    'id_slot',
    'slot_id',
    'cache_prompt',
    'lora',
    'samplers',
  ],
  ...['grammar', 'grammar_lazy', 'grammar_triggers', 'json_schema', 'chat_template', 'ignore_eos', 'verbose'],
  ...[
    'timings_per_token',
    'return_progress',
    'return_tokens',
    'image_data',
    'mirostat',
    'mirostat_tau',
    'dry_multiplier',
  ],
  ...[
    'xtc_probability',
    'dynatemp_range',
    'speculative.n_max',
    'post_sampling_probs',
    'response_fields',
    't_max_predict_ms',
  ],
  ...[
    'sse_ping_interval',
    'input_prefix',
    'input_suffix',
    'reasoning_format',
    'parse_tool_calls',
    'add_generation_prompt',
  ],
  ...['guided_regex', 'guided_json', 'guided_choice', 'guided_grammar', 'structured_outputs', 'logits_processors'],
  ...['prompt_logprobs', 'prompt_embeds', 'allowed_token_ids', 'bad_words', 'stop_token_ids', 'min_tokens', 'priority'],
  ...['cache_salt', 'kv_transfer_params', 'vllm_xargs', 'truncate_prompt_tokens', 'use_beam_search', 'request_id'],
  ...['options', 'keep_alive', 'raw', 'template', 'system', 'format', 'context', 'num_ctx', 'think'],
  ...['api_base', 'base_url', 'api_key', 'api_version', 'extra_body', 'extra_headers', 'fallbacks'],
]

/** All that may stand at the top of a body for a backend. */
const allowed = new Set([
  ...['model', 'messages', 'prompt', 'input', 'stream', 'stream_options', 'n', 'seed', 'stop', 'temperature', 'top_p'],
  ...[
    'frequency_penalty',
    'presence_penalty',
    'logit_bias',
    'max_tokens',
    'logprobs',
    'top_logprobs',
    'top_k',
    'min_p',
  ],
  ...['typical_p', 'repeat_penalty', 'tools', 'tool_choice', 'parallel_tool_calls', 'response_format', 'suffix'],
  ...['reasoning_effort', 'chat_template_kwargs', 'encoding_format', 'dimensions', 'timings_per_token'],
])

const operations = [
  ['/chat/completions', { messages: hello.messages }],
  ['/completions', { prompt: 'hi' }],
  ['/embeddings', { input: 'hi' }],
] as const

for (const [path, valid] of operations) {
  test(`H08 ${path}: a field that only an engine knows is 400 by its name, or dropped and named`, async t => {
    const { post, takeForwarded } = await buildTarget(t)
    let refused = 0
    for (const name of engineOnly) {
      for (const value of ['x', null]) {
        const { status, error } = await post(path, { ...valid, [name]: value })
        const forwarded = takeForwarded()
        if (status === 400) {
          refused += 1
          assert.deepEqual([error?.param, forwarded], [name, []], name)
        } else {
          assert.equal(status, 200, name)
          for (const body of forwarded) assert.equal(Object.hasOwn(body, name) && !allowed.has(name), false, name)
        }
      }
    }
    assert.ok(refused > 0.7 * engineOnly.length, `${refused}`)
  })
}

test('H08 out of range is 400 by its name', async t => {
  const { post, takeForwarded } = await buildTarget(t)
  const wrong: readonly (readonly [string, unknown])[] = [
    ...[0, -1, 1.5, 129, 1e9].map(n => ['n', n] as const),
    ...[-1, 21, 100_000].map(count => ['top_logprobs', count] as const),
    ...[0, -1, 1.7, 1e12].map(count => ['max_tokens', count] as const),
    ...[0, -1, 1e12].map(count => ['max_completion_tokens', count] as const),
    ...[-0.1, 2.1, 1e308].map(value => ['temperature', value] as const),
    ...[-0.1, 1.1].map(value => ['top_p', value] as const),
    ...[-2.1, 2.1].map(value => ['presence_penalty', value] as const),
    ...[-2.1, 2.1].map(value => ['frequency_penalty', value] as const),
    ...[1.5, 1e300].map(value => ['seed', value] as const),
    ['logit_bias', { 5: 101 }],
    ['logit_bias', { 'a token': 1 }],
    ['stop', Array.from({ length: 17 }, () => 'x')],
    ['stop', 'x'.repeat(2000)],
    ['top_k', 1e9],
    ['min_p', 2],
    ['repeat_penalty', 1000],
    ['chat_template_kwargs', { messages: 'x' }],
    ['chat_template_kwargs', { a: { b: 1 } }],
    ['tools', Array.from({ length: 2000 }, () => ({ type: 'function', function: { name: 'f' } }))],
    ['reasoning_effort', 'endless'],
    ['response_format', { type: 'grammar' }],
    ['tool_choice', 'any'],
    ['modalities', ['audio']],
  ]
  for (const [field, value] of wrong) {
    const { status, error } = await post('/chat/completions', { ...hello, logprobs: true, [field]: value })
    assert.equal(status, 400, `${field} ${JSON.stringify(value).slice(0, 80)}`)
    assert.ok(error?.param?.startsWith(field), `${field}: ${error?.param}`)
  }
  assert.equal((await post('/completions', { prompt: 'x', logprobs: 6 })).status, 400)
  assert.deepEqual(takeForwarded(), [])
})

test('H08 nothing unknown arrives, at any depth, whatever the engine', async t => {
  const junk = { id_slot: 1, cache_control: { type: 'ephemeral' }, 'x-junk': 'marker' }
  const text = { type: 'text', text: 'hi', ...junk }
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(40)}`, ...junk }, ...junk }
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}', ...junk }, ...junk }
  const request = {
    messages: [
      { role: 'system', content: [text], ...junk },
      { role: 'user', content: [text, image], ...junk },
      { role: 'assistant', content: null, tool_calls: [call], ...junk },
      { role: 'tool', tool_call_id: 'call_1', content: 'x', ...junk },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' }, ...junk }, ...junk }],
    tool_choice: { type: 'function', function: { name: 'f', ...junk }, ...junk },
    response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, ...junk }, ...junk },
    user: 'marker',
    metadata: { a: 'marker' },
    store: true,
    service_tier: 'marker',
    prediction: { type: 'content', content: 'marker' },
    unheard_of: 'marker',
    'Unheard-Of': 'marker',
  }
  for (const engine of [llamaServer, vllmServer, openaiServer]) {
    const backend = await startScriptedBackend(t, engine({ model: 'm' }))
    const { openai } = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
    for (const stream of [false, true]) {
      const reply = await openai.chat.completions.create({ ...request, model: 'm', stream } as never)
      if (stream) for await (const _chunk of reply as unknown as AsyncIterable<unknown>);
    }
    for (const { request: seen } of backend.exchangesTo('/v1/chat/completions')) {
      const body = seen.json as Record<string, unknown>
      assert.deepEqual(
        Object.keys(body).filter(name => !allowed.has(name)),
        [],
      )
      assert.doesNotMatch(JSON.stringify(body), /marker|id_slot|cache_control|x-junk/)
    }
  }
})

test('H08 of the headers nothing goes on but what a backend needs', async t => {
  const { gateway, backend } = await buildTarget(t)
  const client = await connectRaw(t, gateway.url)
  client.request('POST', '/v1/chat/completions', {
    headers: {
      Authorization: `Bearer ${adminKey}`,
      'X-Conversation-Id': 'marker',
      Cookie: 'marker',
      'X-Forwarded-For': 'marker',
      'X-Forwarded-Host': 'marker',
      Forwarded: 'for=marker',
      'X-Real-IP': 'marker',
      'X-Request-Id': 'marker',
      'OpenAI-Organization': 'marker',
      'User-Agent': 'marker',
      'Accept-Encoding': 'gzip',
      Referer: 'marker',
      Origin: 'http://marker',
      TE: 'trailers',
      Range: 'bytes=0-1',
      'X-Slot-Id': 'marker',
      'X-Request-Timeout-Ms': '60000',
      traceparent: 'marker',
    },
    body: hello,
  })
  assert.equal((await client.response()).status, 200)
  const [exchange] = backend.exchangesTo('/v1/chat/completions')
  const names = exchange?.request.headers.map(([name]) => name.toLowerCase()) ?? []
  const needed = ['host', 'connection', 'content-type', 'accept', 'accept-encoding', 'user-agent', 'content-length']
  assert.deepEqual(
    names.filter(name => !needed.includes(name)),
    ['x-request-timeout-ms'],
  )
  // Our own: what is left of the time.
  const leftMs = Number(exchange?.request.header('x-request-timeout-ms'))
  assert.ok(leftMs > 50_000 && leftMs <= 60_000, String(leftMs))
  assert.doesNotMatch(JSON.stringify(exchange?.request.headers), /marker|gzip|trailers|test-admin-key/)
})
