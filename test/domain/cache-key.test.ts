import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBody } from '../../src/domain/body-parse.ts'
import { type AnswerFields, type AnswerScope, answerKeyOf } from '../../src/domain/cache-key.ts'

const secret = Buffer.alloc(32, 7)
const scope: AnswerScope = { operation: 'chat', accountId: 'a', model: 'm', revision: '', outputBound: 100 }

function fieldsOf(json: string): AnswerFields {
  const { value, bytes, fields } = parseBody(Buffer.from(json))
  return { values: new Map(Object.entries(value)), bytes, places: fields }
}

const keyOf = (body: object | string, changed: Partial<AnswerScope> = {}, more?: unknown) =>
  answerKeyOf(secret, { ...scope, ...changed }, fieldsOf(typeof body === 'string' ? body : JSON.stringify(body)), more)

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'hi' },
]
const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { a: {}, b: {} } } } }
const body = { model: 'm', messages, temperature: 0, seed: 1, tools: [tool] }

test('C03: whatever may change the answer is another key: account, model, revision, bound, and every field that goes on', () => {
  const others = [
    keyOf(body, { accountId: 'b' }),
    keyOf(body, { accountId: null }),
    keyOf(body, { model: 'n' }),
    keyOf(body, { revision: '2' }),
    keyOf(body, { outputBound: 99 }),
    keyOf(body, { operation: 'completions' }),
    keyOf({ ...body, messages: [{ role: 'system', content: 'Be long.' }, messages[1]] }),
    keyOf({ ...body, messages: [...messages].reverse() }),
    keyOf({ ...body, messages: [messages[1]] }),
    keyOf({ ...body, tools: [{ ...tool, function: { ...tool.function, name: 'g' } }] }),
    keyOf({ ...body, tool_choice: 'none' }),
    keyOf({ ...body, temperature: 0.1 }),
    keyOf({ ...body, seed: 2 }),
    keyOf({ ...body, n: 2 }),
    keyOf({ ...body, stop: 'x' }),
    keyOf({ ...body, logprobs: true }),
    keyOf({ ...body, response_format: { type: 'json_object' } }),
    keyOf(body, {}, 'an input'),
  ]
  assert.equal(new Set([keyOf(body), ...others]).size, others.length + 1)
  assert.notEqual(answerKeyOf(Buffer.alloc(32, 8), scope, fieldsOf(JSON.stringify(body))), keyOf(body))
})

test('how an answer is told, the order of fields and what is so anyway make no difference', () => {
  const same = [
    { seed: 1, temperature: 0, tools: [tool], messages, model: 'm' },
    { ...body, model: 'an alias', stream: true, stream_options: { include_usage: true } },
    { ...body, n: 1, frequency_penalty: 0, presence_penalty: 0, logprobs: false, logit_bias: {}, stop: [] },
    { ...body, max_tokens: 5, top_p: null, response_format: { type: 'text' } },
    { ...body, messages: messages.map(({ role, content }) => ({ content, role })) },
  ]
  for (const other of same) assert.equal(keyOf(other), keyOf(body), JSON.stringify(other))
  assert.equal(keyOf({ ...body, stop: ['x'] }), keyOf({ ...body, stop: 'x' }))
  assert.equal(keyOf('{"temperature":0.0,"seed":1.0}'), keyOf('{"temperature": 0, "seed": 1}'))
})

test('the order of keys counts where engines write it into the prompt or the grammar', () => {
  const turned = { ...tool.function, parameters: { type: 'object', properties: { b: {}, a: {} } } }
  assert.notEqual(keyOf({ ...body, tools: [{ ...tool, function: turned }] }), keyOf(body))
})

test('C02: an order that JSON.parse loses, and how a number is written, count where they become a part of the prompt', () => {
  const toolWith = (parameters: string) =>
    `{"tools":[{"type":"function","function":{"name":"f","parameters":${parameters}}}]}`
  const texts = [
    '{"properties":{"2":{},"1":{}}}',
    '{"properties":{"1":{},"2":{}}}',
    '{"minimum":1}',
    '{"minimum":1.0}',
    '{"minimum":1e0}',
    '{"minimum":0.1}',
    '{"minimum":0.10000000000000001}',
  ]
  assert.equal(new Set(texts.map(text => keyOf(toolWith(text)))).size, texts.length)
  assert.equal(keyOf('{"logit_bias":{"5":1.0,"3":2}}'), keyOf('{"logit_bias":{"3":2,"5":1}}'))
  // Some engines look into a format of text as well.
  assert.notEqual(keyOf({ ...body, response_format: { type: 'text', schema: { type: 'object' } } }), keyOf(body))
})

test('numbers that JavaScript cannot tell apart, and engines can, are told apart', () => {
  assert.notEqual(keyOf('{"seed":9007199254740993}'), keyOf('{"seed":9007199254740992}'))
  const schema = (most: string) =>
    `{"tools":[{"type":"function","function":{"name":"f","parameters":{"maximum":${most}}}}]}`
  assert.notEqual(keyOf(schema('100000000000000000001')), keyOf(schema('100000000000000000000')))
  assert.notEqual(keyOf(schema('90071992547409931')), keyOf(schema('90071992547409932')))
})
