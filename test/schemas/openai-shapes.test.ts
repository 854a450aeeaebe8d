import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions'
import type { CompletionCreateParams } from 'openai/resources/completions'
import type { EmbeddingCreateParams } from 'openai/resources/embeddings'
import { parseBody } from '../../src/domain/body-parse.ts'
import type { Operation } from '../../src/domain/field-policy.ts'
import { checkFields } from '../../src/domain/request-fields.ts'
import { rewriteFields } from '../../src/domain/request-rewrites.ts'
import { checkChatRequest, checkCompletionRequest } from '../../src/domain/request-rules.ts'
import { type ChatRequest, ChatRequestSchema } from '../../src/schemas/chat-request.ts'
import { type CompletionRequest, CompletionRequestSchema } from '../../src/schemas/completion-request.ts'
import { EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'
import { buildValidators } from '../../src/schemas/validators.ts'

const { compile } = buildValidators(() => ({}))
const validators = {
  chat: compile(ChatRequestSchema, 'body'),
  completions: compile(CompletionRequestSchema, 'body'),
  embeddings: compile(EmbeddingRequestSchema, 'body'),
}

/** Takes a body as the routes do; the names that would go to a backend, and those that must be written again. */
function take(operation: Operation, body: object): { kept: string[]; rewritten: string[] } {
  const parsed = parseBody(Buffer.from(JSON.stringify(body)))
  const result = validators[operation](parsed.value)
  assert.ok(result === true, JSON.stringify(result))
  if (operation === 'chat') checkChatRequest(parsed.value as unknown as ChatRequest, { allowRemoteImages: false })
  if (operation === 'completions') checkCompletionRequest(parsed.value as unknown as CompletionRequest)
  const { keep, ignored } = checkFields(operation, parsed)
  assert.deepEqual(ignored, [])
  return { kept: keep.map(({ name }) => name), rewritten: [...(rewriteFields(operation, parsed.value)?.keys() ?? [])] }
}

const model = 'm'
const user = { role: 'user', content: 'hello' } as const
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather.',
    strict: true,
    parameters: { type: 'object', properties: { constructor: { type: 'string' } }, additionalProperties: false },
  },
} as const

describe("requests as OpenAI's own types allow them", () => {
  const chats: Record<string, ChatCompletionCreateParams> = {
    'every role': {
      model,
      messages: [
        { role: 'developer', content: 'be brief' },
        { role: 'system', content: [{ type: 'text', text: 'be kind' }], name: 'house' },
        user,
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"a"' } }],
        },
        { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'sunny' }] },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'a' },
            { type: 'refusal', refusal: 'b' },
          ],
        },
        { role: 'function', name: 'f', content: null },
        { role: 'assistant', content: '', function_call: { name: 'f', arguments: '' } },
      ],
    },
    'every part': {
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: '' },
            { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ', detail: 'high' } },
            { type: 'input_audio', input_audio: { data: 'UklGRiQAAABXQVZFZm10', format: 'wav' } },
          ],
        },
      ],
    },
    'every number': {
      model,
      messages: [user],
      temperature: 0,
      top_p: 1,
      frequency_penalty: -2,
      presence_penalty: 2,
      n: 2,
      seed: -1,
      max_tokens: 5,
      max_completion_tokens: 5,
      logit_bias: { '50256': -100 },
      logprobs: true,
      top_logprobs: 20,
      stop: ['a', 'b', 'c', 'd'],
      stream: true,
      stream_options: { include_usage: true },
      reasoning_effort: 'high',
      parallel_tool_calls: false,
      tools: [weather],
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      response_format: { type: 'json_schema', json_schema: { name: 'n', description: 'd', strict: true, schema: {} } },
    },
  }
  for (const [name, body] of Object.entries(chats)) {
    test(`${name} goes on as it is`, () => {
      assert.deepEqual(take('chat', body), { kept: Object.keys(body), rewritten: [] })
    })
  }

  test('every field that may be null is as if it were not there', () => {
    const body: ChatCompletionCreateParams = {
      model,
      messages: [user],
      audio: null,
      frequency_penalty: null,
      logit_bias: null,
      logprobs: null,
      max_completion_tokens: null,
      max_tokens: null,
      metadata: null,
      modalities: null,
      moderation: null,
      n: null,
      prediction: null,
      presence_penalty: null,
      prompt_cache_key: null,
      prompt_cache_retention: null,
      reasoning_effort: null,
      safety_identifier: null,
      seed: null,
      service_tier: null,
      stop: null,
      store: null,
      stream: null,
      stream_options: null,
      temperature: null,
      top_logprobs: null,
      top_p: null,
      verbosity: null,
    }
    assert.deepEqual(take('chat', body).kept, ['model', 'messages'])
  })

  test('what no engine serves is taken and stays here', () => {
    const body: ChatCompletionCreateParams = {
      model,
      messages: [user],
      metadata: { a: 'b' },
      modalities: ['text'],
      prediction: { type: 'content', content: 'x' },
      prompt_cache_key: 'k',
      prompt_cache_retention: '24h',
      safety_identifier: 's',
      service_tier: 'flex',
      store: true,
      user: 'u',
      verbosity: 'low',
      web_search_options: { search_context_size: 'low' },
    }
    assert.deepEqual(take('chat', body).kept, ['model', 'messages'])
  })

  const choices: ChatCompletionCreateParams['tool_choice'][] = ['none', 'auto', 'required']
  test('every form of tool_choice is taken', () => {
    for (const tool_choice of choices) {
      assert.deepEqual(take('chat', { model, messages: [user], tools: [weather], tool_choice }).rewritten, [])
    }
    const tools = [{ type: 'function', function: { name: 'get_weather' } }]
    const tool_choice = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools } }
    const { rewritten } = take('chat', { model, messages: [user], tools: [weather], tool_choice })
    assert.deepEqual(rewritten, ['tools', 'tool_choice'])
  })

  test('the samplers that engines share are taken', () => {
    const samplers = { top_k: 40, min_p: 0.05, typical_p: 1, repeat_penalty: 1.1 }
    const body = { model, messages: [user], ...samplers, chat_template_kwargs: { enable_thinking: false } }
    assert.deepEqual(take('chat', body).kept, Object.keys(body))
    assert.deepEqual(take('completions', { prompt: 'x', ...samplers }).kept, ['prompt', ...Object.keys(samplers)])
  })

  test('a reasoning answer may be handed back', () => {
    const messages = [user, { role: 'assistant', content: 'x', reasoning_content: 'because' }, user]
    assert.deepEqual(take('chat', { model, messages }).rewritten, [])
  })

  test('every form of prompt and input is taken', () => {
    const prompts: CompletionCreateParams['prompt'][] = ['', 'x', ['x', ''], [1, 2], [[1], [2, 3]]]
    for (const prompt of prompts) assert.deepEqual(take('completions', { model, prompt }).kept, ['model', 'prompt'])
    const inputs: EmbeddingCreateParams['input'][] = ['x', ['x', 'y'], [1, 2], [[1], [2, 3]], Array(2048).fill('x')]
    for (const input of inputs) {
      const body: EmbeddingCreateParams = { model, input, encoding_format: 'base64', dimensions: 64, user: 'u' }
      assert.deepEqual(take('embeddings', body).kept, ['model', 'input', 'encoding_format', 'dimensions'])
    }
  })
})
