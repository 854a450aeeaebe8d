import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedBy, type Comparison, guardOf, scopeOf } from '../../src/domain/semantic-question.ts'
import type { ChatMessage } from '../../src/schemas/chat-message.ts'
import type { ChatRequest } from '../../src/schemas/chat-request.ts'

const secret = Buffer.alloc(32, 1)
const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content })
const system = (content: string): ChatMessage => ({ role: 'system', content })
const tool = { type: 'function', function: { name: 'look_up' } } as const
const toolCall = { id: '1', type: 'function', function: { name: 'look_up', arguments: '{}' } } as const

function reasonOf(body: ChatRequest, depth = 1): string {
  const asked = askedBy(body, depth)
  return asked.kind === 'question' ? 'asked' : asked.reason
}

test('C05 nothing is looked for by meaning where tools, another format, more turns or more than text are asked for', () => {
  const messages = [user('What is a tide?')]
  const image: ChatMessage = {
    role: 'user',
    content: [
      { type: 'text', text: 'What is it?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } },
    ],
  }
  const bodies: readonly (readonly [string, ChatRequest])[] = [
    ['asked', { messages }],
    ['asked', { messages: [system('Be short.'), ...messages], temperature: 0, response_format: { type: 'text' } }],
    ['asked', { messages: [{ role: 'user', content: [{ type: 'text', text: 'What is a tide?' }] }] }],
    ['asked', { messages, tools: [] }],
    ['tools', { messages, tools: [tool] }],
    ['tools', { messages, tool_choice: 'none' }],
    ['tools', { messages: [{ role: 'assistant', tool_calls: [toolCall] }, ...messages] }],
    ['tools', { messages: [{ role: 'tool', content: '4', tool_call_id: '1' }, ...messages] }],
    ['format', { messages, response_format: { type: 'json_object' } }],
    ['format', { messages, response_format: { type: 'json_schema', json_schema: { name: 'tide' } } }],
    ['turns', { messages: [user('Hi'), assistant('Hello'), ...messages] }],
    ['turns', { messages: [...messages, assistant('The tide')] }],
    ['turns', { messages: [system('Be short.')] }],
    ['content', { messages: [image] }],
    ['content', { messages: [user('  ')] }],
    ['length', { messages: [user('a'.repeat(4001))] }],
  ]
  for (const [reason, body] of bodies) assert.equal(reasonOf(body), reason, JSON.stringify(body).slice(0, 200))
  assert.equal(reasonOf({ messages: [user('Hi'), assistant('Hello'), ...messages] }, 2), 'asked')
})

const within = { operation: 'chat', accountId: 'a', model: 'chat', revision: '1', outputBound: 256 } as const
const comparison: Comparison = { embeddingModel: 'embed', embeddingRevision: '1', guard: 'words' }

function scope(
  body: ChatRequest,
  change: Partial<Record<keyof typeof within | keyof Comparison, unknown>> = {},
): string {
  const asked = askedBy(body, 3)
  assert.equal(asked.kind, 'question')
  const before = asked.kind === 'question' ? asked.before : []
  const fields = { values: new Map(Object.entries(body)), bytes: Buffer.alloc(0), places: [] }
  return scopeOf(secret, { ...within, ...change } as typeof within, fields, {
    ...comparison,
    before,
    ...(change as Partial<Comparison>),
  })
}

test('C05 another account, model, revision, bound, system prompt, earlier turn or sampling field is another scope', () => {
  const messages = [user('What is a tide?')]
  const body: ChatRequest = { messages, temperature: 0, seed: 1 }
  const scopes = [
    scope(body),
    scope(body, { accountId: 'b' }),
    scope(body, { model: 'other' }),
    scope(body, { revision: '2' }),
    scope(body, { outputBound: 255 }),
    scope(body, { embeddingModel: 'other' }),
    scope(body, { embeddingRevision: '2' }),
    scope(body, { guard: 'facts' }),
    // Fields that change places are not the same fields.
    scope(body, { accountId: 'chat', model: 'a' }),
    scope(body, { embeddingModel: '1', embeddingRevision: 'embed' }),
    scope({ ...body, temperature: 0.1 }),
    scope({ ...body, seed: 2 }),
    scope({ ...body, stop: 'x' }),
    scope({ ...body, n: 2 }),
    scope({ ...body, chat_template_kwargs: { enable_thinking: false } }),
    scope({ ...body, messages: [system('Be short.'), ...messages] }),
    scope({ ...body, messages: [system('Be long.'), ...messages] }),
    scope({ ...body, messages: [{ role: 'developer', content: 'Be short.' }, ...messages] }),
    scope({ ...body, messages: [user('Hi'), assistant('Hello'), ...messages] }),
    scope({ ...body, messages: [user('Hi'), assistant('Hello!'), ...messages] }),
    scope({ ...body, messages: [{ role: 'user', content: 'What is a tide?', name: 'Ann' }] }),
  ]
  assert.equal(new Set(scopes).size, scopes.length)
})

test('another question, another order of fields and another way to give the answer are the same scope', () => {
  const messages = [system('Be short.'), user('What is a tide?')]
  const body: ChatRequest = { messages, temperature: 0, seed: 1 }
  const same = [
    { seed: 1, temperature: 0, messages },
    { ...body, messages: [system('Be short.'), user('Who is there?')] },
    { ...body, stream: true, stream_options: { include_usage: true } },
    { ...body, top_p: null },
    { ...body, max_tokens: 7 },
  ]
  for (const each of same) assert.equal(scope(each), scope(body), JSON.stringify(each))
})

test('scope and guard tell nothing without the secret', () => {
  const other = Buffer.alloc(32, 2)
  assert.notEqual(guardOf('one', 'words', secret), guardOf('one', 'words', other))
  assert.match(guardOf('one', 'words', secret), /^[\w-]{43}$/)
})
