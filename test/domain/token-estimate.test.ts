import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseBody } from '../../src/domain/body-parse.ts'
import type { Operation } from '../../src/domain/field-policy.ts'
import { estimatePromptTokens, type Prompt, type PromptBody } from '../../src/domain/token-estimate.ts'

const imageTokens = 1000
const media = { contextLength: null, imageTokens }
const png = (data: string) => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } })

/** What the body comes to; `write` is how its writer makes JSON. */
function estimate(
  operation: Operation,
  body: object,
  { model = media, write = JSON.stringify } = {} as Options,
): number {
  const scanned = parseBody(Buffer.from(write(body)))
  return estimatePromptTokens({ operation, scanned, body: scanned.value as PromptBody, model })
}
interface Options {
  readonly model?: Prompt['model']
  readonly write?: (body: object) => string
}
const chat = (content: unknown, options?: Options) =>
  estimate('chat', { model: 'm', messages: [{ role: 'user', content }] }, options)

/** How PHP, .NET and old Pythons write JSON: slashes, signs of HTML, and all that is not ASCII escaped. */
const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
const writers: Readonly<Record<string, (body: object) => string>> = {
  plain: body => JSON.stringify(body),
  slashes: body => JSON.stringify(body).replaceAll('/', '\\/'),
  signs: body => JSON.stringify(body).replace(/[+'<>&]/g, unicode),
  ascii: body => JSON.stringify(body).replace(/[\u0080-\uffff]/g, unicode),
  all: body => JSON.stringify(body).replace(/[+/]/g, unicode),
}
const writerArb = fc.constantFrom(...Object.values(writers))
const base64Arb = fc.base64String({ minLength: 24, maxLength: 400 })
const wordArb = fc.string({
  unit: fc.constantFrom('a', ' ', '"', '\\', '/', '+', '<', '\n', '\u0001', 'é', '界', '😀'),
})

test('the bound is the bytes of what reaches the prompt, and of nothing else', () => {
  const messages = [{ role: 'user', content: 'hello' }]
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
  assert.equal(estimate('chat', { model: 'm', messages }), bytes(messages) + 64)
  assert.equal(estimate('chat', { model: 'm', messages, stop: ['x'.repeat(99)], user: 'u' }), bytes(messages) + 64)
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }]
  assert.equal(estimate('chat', { messages, tools }), bytes(messages) + bytes(tools) + 64)
  const chat_template_kwargs = { date: 'x'.repeat(50) }
  assert.equal(estimate('chat', { messages, chat_template_kwargs }), bytes(messages) + bytes(chat_template_kwargs) + 64)
  assert.equal(estimate('completions', { prompt: 'hello', messages, suffix: 'end' }), 7 + 5 + 64)
  assert.equal(estimate('embeddings', { input: ['hello', 'you'], prompt: 'x' }), 15 + 64)
})

test('text has no more tokens than bytes, whoever writes it', () => {
  fc.assert(
    fc.property(fc.array(wordArb, { minLength: 1, maxLength: 5 }), base64Arb, writerArb, (texts, data, write) => {
      const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
      const parts = texts.map(text => ({ type: 'text', text }))
      assert.ok(chat(parts, { write }) >= bytes + 64, 'parts')
      // The bytes of an image are no room for text.
      assert.ok(chat([...parts, png(data)], { write }) >= bytes + 64 + imageTokens, 'parts beside an image')
      assert.ok(estimate('completions', { prompt: texts }, { write }) >= bytes + 64, 'prompts')
      assert.ok(estimate('embeddings', { input: texts }, { write }) >= bytes + 64, 'inputs')
    }),
    { numRuns: 500 },
  )
})

test('the size of an image does not matter, whoever writes it', () => {
  fc.assert(
    fc.property(base64Arb, base64Arb, wordArb, writerArb, (one, other, text, write) => {
      const withImage = (data: string) => chat([{ type: 'text', text }, png(data)], { write })
      assert.equal(withImage(one), withImage(other))
    }),
    { numRuns: 500 },
  )
  assert.equal(chat([png('+/'.repeat(500_000))]), chat([png('AAAA'.repeat(6))]))
})

test('each image counts as its model says, also one that is named by its address', () => {
  const [none, one, two] = [0, 1, 2].map(count =>
    chat([{ type: 'text', text: 'x' }, ...Array(count).fill(png('AAAA'))]),
  )
  const frame = JSON.stringify(png('')).length + 1 - 'data:image/png;base64,'.length
  assert.deepEqual([one, two], [(none ?? 0) + imageTokens + frame, (none ?? 0) + 2 * (imageTokens + frame)])
  const address = { type: 'image_url', image_url: { url: 'https://example.com/x.png' } }
  assert.ok(chat([address]) > imageTokens + 'https://example.com/x.png'.length)
})

test('audio counts like an image, and more the longer it is', () => {
  const audio = (characters: number, write?: Options['write']) =>
    chat([{ type: 'input_audio', input_audio: { data: '+/AA'.repeat(characters / 4), format: 'wav' } }], {
      ...(write && { write }),
    })
  const added = audio(256_000) - audio(256)
  assert.equal(added, 999)
  assert.ok(audio(256) > imageTokens && audio(256) < imageTokens + 300)
  assert.equal(audio(256_000, writers['slashes']), audio(256_000))
})

test('a text that looks like an image is text', () => {
  const text = png('A'.repeat(5000)).image_url.url
  assert.ok(chat(text) > 5000)
  assert.ok(chat([{ type: 'text', text }, png('AAAA')]) > 5000 + imageTokens)
})

test('tokens that are given as numbers are counted, not estimated', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { minLength: 1 }),
      fc.array(fc.array(fc.nat(), { minLength: 1 }), { minLength: 1 }),
      (one, many) => {
        assert.equal(estimate('completions', { prompt: one }), one.length)
        assert.equal(estimate('embeddings', { input: one }), one.length)
        assert.equal(estimate('completions', { prompt: many }), many.flat().length)
        assert.equal(estimate('embeddings', { input: many }), many.flat().length)
      },
    ),
  )
  assert.equal(estimate('completions', { prompt: [1, 2], suffix: 'end' }), 2 + 3 + 64)
})

test('no prompt is longer than the context', () => {
  const model = { contextLength: 100, imageTokens }
  assert.equal(chat('x'.repeat(1000), { model }), 100)
  assert.equal(chat([png('AAAA')], { model }), 100)
  assert.equal(estimate('completions', { prompt: 'x'.repeat(1000) }, { model }), 100)
  assert.equal(estimate('completions', { prompt: ['x'.repeat(1000), 'y', 'z'] }, { model }), 300)
  assert.equal(estimate('embeddings', { input: [Array(500).fill(1), [1]] }, { model }), 200)
})

test('beside an image text keeps its own bytes, whatever they are written as', () => {
  for (const write of Object.values(writers)) {
    for (const character of ['\\', '"', '\n', '\u0001', '/', '+', 'é', '\u0085', '界', '😀', '\\u0041']) {
      const text = character.repeat(1000)
      const found = chat([{ type: 'text', text }, png('AAAA')], { write }) - imageTokens - 64
      const bytes = Buffer.byteLength(text)
      assert.ok(found >= bytes && found < 1.5 * bytes + 200, `${JSON.stringify(character)} ${found}`)
    }
  }
})

test("escapes elsewhere than in the messages are nobody's image", () => {
  const messages = [{ role: 'user', content: [png('AAAA')] }]
  const withStop = estimate('chat', { messages, stop: ['\n'.repeat(100)] })
  assert.equal(estimate('chat', { stop: ['\n'.repeat(100)], messages }), withStop)
  assert.equal(estimate('chat', { messages }), withStop)
})

test('the bound holds with escapes beyond those that are looked for', () => {
  const slashes = '/'.repeat(150_000)
  const write = writers['slashes'] ?? assert.fail()
  const found = chat([{ type: 'text', text: slashes }, png('AAAA')], { write })
  assert.ok(found > 200_000 && found < 250_000)
})
