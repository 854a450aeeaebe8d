import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { narrowToNamedTool, rewriteFields } from '../../src/domain/request-rewrites.ts'

const user = { role: 'user', content: 'hello' }
const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }
const tool = (name: string) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', any: { thing: 1 } } },
})

const rewritten = (body: object) => Object.fromEntries(rewriteFields('chat', body as Record<string, unknown>) ?? [])

describe('what may go to a backend as it is', () => {
  const clean: Record<string, object> = {
    'a chat': { messages: [{ role: 'system', content: 'be brief' }, user] },
    parts: {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
            { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
          ],
        },
      ],
    },
    'a message as the SDKs hand it back': {
      messages: [
        user,
        { role: 'assistant', content: null, refusal: null, annotations: [], audio: null, tool_calls: [call] },
      ],
    },
    'an answer of a tool': { messages: [user, { role: 'tool', tool_call_id: 'c1', content: 'ok' }] },
    'tools with any parameters': { messages: [user], tools: [tool('f')], tool_choice: 'auto' },
    'a named tool': {
      messages: [user],
      tools: [tool('f')],
      tool_choice: { type: 'function', function: { name: 'f' } },
    },
    'a schema': {
      messages: [user],
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { grammar: 1, constructor: {} } } },
    },
    'null for what may be null': { messages: [user], stream_options: null },
  }
  for (const [name, body] of Object.entries(clean)) {
    test(name, () => assert.equal(rewriteFields('chat', body as Record<string, unknown>), undefined))
  }
})

describe('H08 keys inside fields', () => {
  const dirty: Record<string, [object, object]> = {
    'of a message': [{ messages: [{ ...user, grammar: 'x', cache_control: {} }] }, { messages: [user] }],
    'of another role': [{ messages: [{ ...user, tool_calls: [call] }] }, { messages: [user] }],
    'of a part': [
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', image_url: { url: 'http://127.0.0.1' } }] }] },
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }] },
    ],
    'of an image': [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:', path: '/etc' } }] }] },
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
    ],
    'of a call': [
      { messages: [{ role: 'assistant', tool_calls: [{ ...call, index: 0 }] }] },
      { messages: [{ role: 'assistant', tool_calls: [call] }] },
    ],
    'that are null where an engine expects a value': [
      { messages: [{ role: 'assistant', content: 'x', tool_calls: null, reasoning_content: null, name: null }] },
      { messages: [{ role: 'assistant', content: 'x' }] },
    ],
    'that mean something to OpenAI alone': [
      { messages: [{ role: 'assistant', content: 'x', audio: { id: 'a' }, annotations: [{ type: 'url_citation' }] }] },
      { messages: [{ role: 'assistant', content: 'x' }] },
    ],
    'of a tool': [
      {
        tools: [
          { ...tool('f'), grammar: 1 },
          { type: 'function', function: { name: 'g', strict: null, lora: 1 } },
        ],
      },
      { tools: [tool('f'), { type: 'function', function: { name: 'g' } }] },
    ],
    'of a format': [
      { response_format: { type: 'json_object', schema: {}, grammar: 'x' } },
      { response_format: { type: 'json_object' } },
    ],
    'of stream_options': [
      { stream_options: { include_usage: true, continuous_usage_stats: true, include_obfuscation: false } },
      { stream_options: { include_usage: true } },
    ],
    'that every object inherits': [{ messages: [{ ...user, constructor: 1, toString: 1 }] }, { messages: [user] }],
  }
  for (const [name, [body, expected]] of Object.entries(dirty)) {
    test(`H08 ${name} are left out`, () => assert.deepEqual(rewritten(body), expected))
  }

  test('H08 only the field at fault is written again, and the request itself stays as it came', () => {
    const messages = [{ ...user, grammar: 'x' }]
    const body = { messages, tools: [tool('f')] }
    assert.deepEqual(Object.keys(rewritten(body)), ['messages'])
    assert.deepEqual(messages, [{ ...user, grammar: 'x' }])
  })

  test('H08 completions have none but stream_options', () => {
    const body = { prompt: 'x', stream_options: { foo: 1 } }
    assert.deepEqual([...(rewriteFields('completions', body) ?? [])], [['stream_options', {}]])
    assert.equal(rewriteFields('embeddings', { input: [[1]] }), undefined)
  })
})

test('allowed_tools becomes those tools and that mode', () => {
  const choice = (mode: string) => ({
    type: 'allowed_tools',
    allowed_tools: { mode, tools: [{ type: 'function', function: { name: 'g' } }] },
  })
  const body = { messages: [user], tools: [tool('f'), tool('g')], tool_choice: choice('required') }
  assert.deepEqual(rewritten(body), { tools: [tool('g')], tool_choice: 'required' })
  const dirty = { ...body, tools: [tool('f'), { ...tool('g'), lora: 1 }], tool_choice: { ...choice('auto'), foo: 1 } }
  assert.deepEqual(rewritten(dirty), { tools: [tool('g')], tool_choice: 'auto' })
})

test('a named tool is the only one offered and required, for engines that cannot read the name', () => {
  const choice = { type: 'function', function: { name: 'g' } }
  const body = { messages: [user], tools: [tool('f'), tool('g')], tool_choice: choice }
  assert.deepEqual(Object.fromEntries(narrowToNamedTool(body, undefined) ?? []), {
    tools: [tool('g')],
    tool_choice: 'required',
  })
  const pruned = new Map<string, unknown>([
    ['messages', []],
    ['tools', [tool('g')]],
  ])
  assert.deepEqual(Object.fromEntries(narrowToNamedTool(body, pruned) ?? []), {
    messages: [],
    tools: [tool('g')],
    tool_choice: 'required',
  })
  assert.equal(narrowToNamedTool({ ...body, tool_choice: 'auto' }, undefined), undefined)
  assert.equal(narrowToNamedTool({ messages: [user] }, undefined), undefined)
})
