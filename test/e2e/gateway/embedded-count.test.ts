import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CalledGateway, calledGateway } from '../../support/called.ts'
import { ask } from '../../support/inference.ts'

const model = 'weir-demo'
const messages = [{ role: 'user', content: 'What is the weather in Paris, and in 東京 🙂?' }]
const weather = (name: string) => ({
  type: 'function',
  function: {
    name,
    description: 'Get the weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
})
const tools = [weather('get_weather'), weather('get_more_weather')]
const schema = { type: 'object', properties: { city: { type: 'string', maxLength: 9 } }, required: ['city'] }

const chats: Record<string, object> = {
  'without tools': {},
  'with a turn of the assistant': {
    messages: [
      { role: 'system', content: 'Be short.' },
      ...messages,
      { role: 'assistant', content: 'Sunny.' },
      ...messages,
    ],
  },
  'with tools': { tools },
  'with tools and a call required': { tools, tool_choice: 'required' },
  'with one tool named': { tools, tool_choice: { type: 'function', function: { name: 'get_weather' } } },
  'with tools that are not to be called': { tools, tool_choice: 'none' },
  'with a schema': { response_format: { type: 'json_schema', json_schema: { name: 'city', schema, strict: true } } },
  'with two choices': { n: 2 },
}
const prompts = {
  'a text': 'The capital of France',
  'several texts': ['The capital of France', 'a', 'The capital of Spain is 東京'],
  tokens: [5, 6, 7],
  'lists of tokens': [[5, 6, 7], [8]],
}

const call = {
  type: 'function',
  function: { name: 'get_weather', arguments: '{"city":"Paris"}' },
  id: 'call_1',
}

test('the embedded engine counts a prompt as its usage then does', { timeout: 60_000 }, async t => {
  const gateway = await calledGateway(t)
  await gateway.app.engine?.process.ready
  const cases = [
    ...Object.entries(chats).map(
      ([what, more]) => [`a chat ${what}`, 'chat/completions', { messages, ...more }] as const,
    ),
    [
      'a chat with the result of a tool',
      'chat/completions',
      {
        tools,
        messages: [
          ...messages,
          { role: 'assistant', content: null, tool_calls: [call] },
          { role: 'tool', tool_call_id: 'call_1', content: '{"temperature":21}' },
        ],
      },
    ] as const,
    ...Object.entries(prompts).map(([what, prompt]) => [`a completion of ${what}`, 'completions', { prompt }] as const),
    ...Object.entries(prompts).map(([what, input]) => [`embeddings of ${what}`, 'embeddings', { input }] as const),
  ]
  for (const [what, path, body] of cases) {
    await t.test(what, async t => {
      const bound = path === 'embeddings' ? {} : { max_tokens: 2 }
      const used = await promptTokens(t, gateway, `/v1/${path}`, { model, ...body, ...bound })
      const last = gateway.calls.at(-1)
      assert.ok(last !== undefined && used > 0)
      const { backends, configuration } = gateway.app
      assert.equal(await backends.countPrompt(last, configuration.current, new AbortController().signal), used)
    })
  }
})

async function promptTokens(t: Parameters<typeof ask>[0], gateway: CalledGateway, path: string, body: object) {
  const { status, text } = await (await ask(t, gateway, body, path)).response()
  assert.equal(status, 200, text)
  return (JSON.parse(text) as { usage: { prompt_tokens: number } }).usage.prompt_tokens
}
