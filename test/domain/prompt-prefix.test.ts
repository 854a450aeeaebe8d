import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { derivePrefixSecret, prefixKeyOf } from '../../src/domain/prompt-prefix.ts'
import type { PromptBody } from '../../src/domain/token-estimate.ts'

const secret = derivePrefixSecret(createSecretKey('pepper', 'utf8'))

type Messages = NonNullable<PromptBody['messages']>
const chatKey = (messages: Messages, accountId = 'account-1', key = secret) =>
  prefixKeyOf({ operation: 'chat', body: { messages }, accountId }, key)
const completionKey = (prompt: NonNullable<PromptBody['prompt']>) =>
  prefixKeyOf({ operation: 'completions', body: { prompt }, accountId: 'account-1' }, secret)

const system = (content: string) => ({ role: 'system' as const, content })
const user = (content: string) => ({ role: 'user' as const, content })
const assistant = (content: string) => ({ role: 'assistant' as const, content })

const textArb = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 700 })
const turnArb = fc.oneof(
  fc.tuple(textArb, textArb).map(([answer, next]) => [assistant(answer), user(next)]),
  fc
    .tuple(textArb, textArb, textArb)
    .map(([result, answer, next]) => [
      { role: 'assistant' as const, content: null },
      { role: 'tool' as const, content: result, tool_call_id: 'call_1' },
      assistant(answer),
      user(next),
    ]),
)

test('all turns of a conversation have the same key, from the first that is long enough', () => {
  const instructionsArb = fc.array(textArb.map(system), { maxLength: 3 })
  fc.assert(
    fc.property(instructionsArb, textArb, fc.array(turnArb, { maxLength: 6 }), (instructions, first, turns) => {
      const whole: Messages = [...instructions, user(first), ...turns.flat()]
      const ends = turns.map((_, index) => instructions.length + 1 + turns.slice(0, index + 1).flat().length)
      const keys = [instructions.length + 1, ...ends].map(end => chatKey(whole.slice(0, end)))
      const known = keys.filter(key => key !== null)
      assert.deepEqual(keys, [...Array(keys.length - known.length).fill(null), ...Array(known.length).fill(known[0])])
    }),
    { numRuns: 500 },
  )
})

test('conversations that share only their instructions have keys of their own, however long those are', () => {
  const instructions = system('You are patient. '.repeat(5_000))
  const keys = Array.from({ length: 1000 }, (_, index) => chatKey([instructions, user(`Question ${index}`)]))
  assert.ok(new Set(keys).size > 995, `${new Set(keys).size} keys`)
})

test('conversations that begin with the same greeting are told apart as soon as they differ', () => {
  const greeting = [user('hello'), assistant('Hello! What can I do for you today?')]
  assert.equal(chatKey(greeting), null)
  const [one, other] = ['a', 'b'].map(text => [...greeting, user(text.repeat(600))])
  assert.notEqual(chatKey(one ?? []), chatKey(other ?? []))
  assert.notEqual(chatKey(one ?? []), null)
})

test('a prompt of less than some 500 characters has no key', () => {
  assert.equal(chatKey([system('Be brief.'), user('x'.repeat(400))]), null)
  assert.notEqual(chatKey([system('Be brief.'), user('x'.repeat(600))]), null)
  assert.equal(chatKey([system('x'.repeat(600))]), null, 'nobody has asked anything yet')
  assert.equal(chatKey([]), null)
})

test('role, order, and where messages end make a difference', () => {
  const [a, b] = ['a'.repeat(300), 'b'.repeat(300)]
  const keys = [
    chatKey([system(a), user(b)]),
    chatKey([{ role: 'developer', content: a }, user(b)]),
    chatKey([system(b), user(a)]),
    chatKey([system(`${a}b`), user(b.slice(1))]),
    chatKey([user(a), user(b)]),
  ]
  assert.equal(new Set(keys).size, keys.length)
})

test('parts count by what they hold: text, images, audio', () => {
  const text = 'x'.repeat(600)
  const withPart = (part: object) => chatKey([user('?'), { role: 'user', content: [part] } as Messages[number]])
  const audio = (data: string) => ({ type: 'input_audio', input_audio: { data, format: 'wav' } })
  const keys = [
    withPart({ type: 'text', text }),
    withPart({ type: 'text', text: `y${text}` }),
    withPart({ type: 'image_url', image_url: { url: `data:image/png;base64,${text}` } }),
    withPart(audio(`UklG${text}`)),
    withPart(audio(`UklH${text}`)),
  ]
  assert.equal(new Set(keys).size, keys.length)
  assert.ok(keys.every(key => key !== null))
  assert.equal(
    withPart({ type: 'text', text }),
    chatKey([user('?'), user(text)]),
    'as if it were written without parts',
  )
})

test('the account and the secret are part of it', () => {
  const messages = [user('x'.repeat(600))]
  const other = derivePrefixSecret(createSecretKey('another pepper', 'utf8'))
  const keys = [chatKey(messages), chatKey(messages, 'account-2'), chatKey(messages, 'account-1', other)]
  assert.equal(new Set(keys).size, 3)
  assert.equal(chatKey(messages), chatKey(structuredClone(messages)))
})

test('a completion is known by its first 1,024 characters or 256 tokens', () => {
  const head = 'x'.repeat(1024)
  assert.equal(completionKey(head.slice(1)), null)
  assert.notEqual(completionKey(head), null)
  assert.equal(completionKey(head), completionKey(`${head} and more`))
  assert.notEqual(completionKey(head), completionKey(`y${head}`))
  assert.equal(completionKey([head, 'another']), completionKey(head))
  assert.equal(completionKey(['short', head]), null)
  const tokens = Array.from({ length: 256 }, (_, index) => index)
  assert.equal(completionKey(tokens.slice(1)), null)
  assert.notEqual(completionKey(tokens), null)
  assert.equal(completionKey([...tokens, 1]), completionKey(tokens))
  assert.equal(completionKey([tokens, [1]]), completionKey(tokens))
  assert.notEqual(completionKey([1, ...tokens]), completionKey(tokens))
})

test('embeddings have none: no engine caches them', () => {
  const body = { input: 'x'.repeat(5000) }
  assert.equal(prefixKeyOf({ operation: 'embeddings', body, accountId: 'account-1' }, secret), null)
})

test('of a prompt of megabytes only the beginnings are read', () => {
  const long = 'x'.repeat(4_000_000)
  assert.equal(chatKey([system(long), user(long)]), chatKey([system(`${long}y`), user(`${long}z`)]))
})
