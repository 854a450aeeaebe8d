import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ChatRequestSchema } from '../../src/schemas/chat-request.ts'
import { CompletionRequestSchema } from '../../src/schemas/completion-request.ts'
import { EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { buildValidators } from '../../src/schemas/validators.ts'

const { compile } = buildValidators(() => ({}))
const validators = {
  chat: compile(ChatRequestSchema, 'body'),
  completion: compile(CompletionRequestSchema, 'body'),
  embedding: compile(EmbeddingRequestSchema, 'body'),
}
const messages = [{ role: 'user', content: 'x' }]
const part = (content: unknown) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, content] }] })

/** Which validator, the body, the `param`, the message. */
const cases: [keyof typeof validators, object | null, string | null, string][] = [
  ['chat', null, null, 'The request body is empty: send a JSON object.'],
  ['chat', {}, 'messages', 'messages is required.'],
  ['chat', { messages: 'hi' }, 'messages', 'messages must be an array; it is a string.'],
  ['chat', { messages: [] }, 'messages', 'messages must not be empty.'],
  ['chat', { messages: [1] }, 'messages[0]', 'messages[0] must be an object; it is 1.'],
  ['chat', { messages: [{}] }, 'messages[0].role', 'messages[0].role is required.'],
  [
    'chat',
    { messages: [...messages, { role: 'boss', content: 'x' }] },
    'messages[1].role',
    "messages[1].role must be 'system', 'developer', 'user', 'assistant', 'tool' or 'function'; it is 'boss'.",
  ],
  [
    'chat',
    { messages: [{ role: 'user', content: 5 }] },
    'messages[0].content',
    'messages[0].content must be a string or an array; it is 5.',
  ],
  [
    'chat',
    part({ type: 'image_url', image_url: {} }),
    'messages[0].content[1].image_url.url',
    'messages[0].content[1].image_url.url is required.',
  ],
  [
    'chat',
    part({ type: 'image_url', image_url: 'http://x' }),
    'messages[0].content[1].image_url',
    'messages[0].content[1].image_url must be an object; it is a string.',
  ],
  [
    'chat',
    part({ type: 'file', file: {} }),
    'messages[0].content[1].type',
    "messages[0].content[1].type must be 'text', 'image_url' or 'input_audio'; it is 'file'.",
  ],
  [
    'chat',
    part({ type: 'input_audio', input_audio: { data: 'http://127.0.0.1/a.wav', format: 'wav' } }),
    'messages[0].content[1].input_audio.data',
    'messages[0].content[1].input_audio.data must be base64.',
  ],
  ['chat', { messages, temperature: 2.5 }, 'temperature', 'temperature must be at most 2; it is 2.5.'],
  ['chat', { messages, temperature: '1' }, 'temperature', 'temperature must be a number or null; it is a string.'],
  ['chat', { messages, n: 1e9 }, 'n', 'n must be at most 128; it is 1000000000.'],
  ['chat', { messages, n: 0 }, 'n', 'n must be at least 1; it is 0.'],
  ['chat', { messages, max_tokens: 1.5 }, 'max_tokens', 'max_tokens must be a whole number or null; it is 1.5.'],
  ['chat', { messages, stream: 'true' }, 'stream', 'stream must be a boolean or null; it is a string.'],
  ['chat', { messages, stop: [''] }, 'stop[0]', 'stop[0] must not be empty.'],
  ['chat', { messages, stop: Array(17).fill('x') }, 'stop', 'stop must have at most 16 items; it has 17.'],
  [
    'chat',
    { messages, tools: [{ type: 'custom' }] },
    'tools[0].type',
    "tools[0].type must be 'function'; it is 'custom'.",
  ],
  [
    'chat',
    { messages, tools: [{ type: 'function', function: { name: 'a b' } }] },
    'tools[0].function.name',
    'tools[0].function.name must be made of letters, digits, and _ . : - only.',
  ],
  [
    'chat',
    { messages, tool_choice: 'any' },
    'tool_choice',
    "tool_choice must be 'none', 'auto' or 'required'; it is 'any'.",
  ],
  [
    'chat',
    { messages, tool_choice: { type: 'custom' } },
    'tool_choice.type',
    "tool_choice.type must be 'function' or 'allowed_tools'; it is 'custom'.",
  ],
  [
    'chat',
    { messages, tool_choice: { type: 'function', function: {} } },
    'tool_choice.function.name',
    'tool_choice.function.name is required.',
  ],
  [
    'chat',
    { messages, response_format: { type: 'grammar' } },
    'response_format.type',
    "response_format.type must be 'text', 'json_object' or 'json_schema'; it is 'grammar'.",
  ],
  [
    'chat',
    { messages, logit_bias: { hello: 1 } },
    'logit_bias.hello',
    'logit_bias.hello is not an allowed key: a key here must be the number of a token.',
  ],
  [
    'chat',
    { messages, logit_bias: { 15: 101 } },
    'logit_bias["15"]',
    'logit_bias["15"] must be at most 100; it is 101.',
  ],
  [
    'chat',
    { messages, chat_template_kwargs: { messages: 'x' } },
    'chat_template_kwargs.messages',
    'chat_template_kwargs.messages is not an allowed key: a key here must be a variable that the engine does not set itself.',
  ],
  ['chat', { messages, model: 'a\nb' }, 'model', 'model must be free of control characters.'],
  ['chat', { messages, model: 'x'.repeat(257) }, 'model', 'model must have at most 256 characters; it has 257.'],
  ['chat', { messages, metadata: { a: 1 } }, 'metadata.a', 'metadata.a must be a string; it is 1.'],
  ['completion', {}, 'prompt', 'prompt is required.'],
  ['completion', { prompt: {} }, 'prompt', 'prompt must be a string or an array; it is an object.'],
  ['completion', { prompt: [] }, 'prompt', 'prompt must not be empty.'],
  ['completion', { prompt: ['a', 1] }, 'prompt[1]', 'prompt[1] must be a string; it is 1.'],
  ['completion', { prompt: [1, 'a'] }, 'prompt[1]', 'prompt[1] must be a whole number; it is a string.'],
  [
    'completion',
    {
      prompt: [
        [1, 2],
        [3, 'x'],
      ],
    },
    'prompt[1][1]',
    'prompt[1][1] must be a whole number; it is a string.',
  ],
  ['completion', { prompt: [-1] }, 'prompt[0]', 'prompt[0] must be at least 0; it is -1.'],
  ['completion', { prompt: 'x', logprobs: 6 }, 'logprobs', 'logprobs must be at most 5; it is 6.'],
  ['embedding', { input: '' }, 'input', 'input must not be empty.'],
  ['embedding', { input: ['x', ''] }, 'input[1]', 'input[1] must not be empty.'],
  ['embedding', { input: Array(2049).fill('x') }, 'input', 'input must have at most 2048 items; it has 2049.'],
  [
    'embedding',
    { input: 'x', encoding_format: 'hex' },
    'encoding_format',
    "encoding_format must be 'float' or 'base64'; it is 'hex'.",
  ],
]

describe('what is said of a body that does not fit', () => {
  for (const [name, body, param, message] of cases) {
    test(message, () => {
      const result = validators[name](body)
      assert.ok(result !== true)
      assert.equal(result.error.message, message)
      assert.equal(result.error.param, param)
      assert.equal(result.error.statusCode, 400)
    })
  }

  test('never a text of the caller, unless it is one word where one of a few words belongs', () => {
    for (const secret of ['my secret prompt', 'x'.repeat(41)]) {
      for (const body of [{ messages: secret }, { messages: [{ role: secret }] }, { messages, tool_choice: secret }]) {
        const result = validators.chat(body)
        assert.ok(result !== true && !result.error.message.includes(secret))
      }
    }
  })
})

test('a query is read from text, with defaults, and a body is not', () => {
  const schema = Type.Object({ limit: Type.Integer({ default: 20 }), all: Type.Optional(Type.Boolean()) })
  const query: Record<string, unknown> = { all: 'true' }
  assert.equal(compile(schema, 'querystring')(query), true)
  assert.deepEqual(query, { limit: 20, all: true })
  const asText = { limit: '5' }
  assert.equal(compile(schema, 'querystring')(asText), true)
  assert.notEqual(compile(schema, 'body')({ limit: '5' }), true)
  assert.notEqual(compile(schema, 'body')({}), true)
})

test('a shared schema is found by its name', () => {
  const shared = { $id: 'Thing', type: 'object', required: ['a'] }
  const { compile: compileShared } = buildValidators(() => ({ Thing: shared }))
  const validate = compileShared({ $ref: 'Thing#' }, 'body')
  assert.equal(validate({ a: 1 }), true)
  assert.notEqual(validate({}), true)
})
