import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChatRequestSchema } from '../../../src/schemas/chat-request.ts'
import { CompletionRequestSchema } from '../../../src/schemas/completion-request.ts'
import { EmbeddingRequestSchema } from '../../../src/schemas/embedding-request.ts'
import { buildTarget, type HostileTarget } from '../../support/hostile.ts'

const messages = [{ role: 'user', content: 'hi' }]
const operations = [
  { path: '/chat/completions', valid: { messages }, fields: Object.keys(ChatRequestSchema.properties) },
  { path: '/completions', valid: { prompt: 'hi' }, fields: Object.keys(CompletionRequestSchema.properties) },
  { path: '/embeddings', valid: { input: 'hi' }, fields: Object.keys(EmbeddingRequestSchema.properties) },
] as const

/** Values of every kind, and texts that a lenient reader takes for another kind. */
const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  '',
  '1',
  'null',
  '[]',
  [],
  ['x'],
  [null],
  [[]],
  {},
  { 0: 'x', length: 1 },
  [{ role: 'user', content: 'x' }],
]

/** What the gateway itself decides; the caller's value is only read. */
const written = new Set(['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'encoding_format'])

describe('H03 type confusion', () => {
  for (const { path, valid, fields } of operations) {
    test(`H03 ${path}: each of ${fields.length} fields with ${values.length} values is refused by its name, or taken as it is`, async t => {
      const target = await buildTarget(t)
      for (const field of fields) for (const value of values) await confuse(target, path, { valid, field, value })
    })
  }

  test('H03 any value at any place of a conversation: never a 5xx, nothing but what was sent reaches a backend', async t => {
    const { post, takeForwarded } = await buildTarget(t)
    const value = fc.jsonValue({ maxDepth: 3 })
    const part = fc.record({
      type: fc.constantFrom('text', 'image_url', 'input_audio', 'x'),
      text: value,
      image_url: value,
    })
    const message = fc.record(
      {
        role: fc.oneof(fc.constantFrom('user', 'system', 'assistant', 'tool', 'developer', 'function'), value),
        content: fc.oneof(fc.string(), value, fc.array(part)),
        name: value,
        tool_calls: value,
        tool_call_id: fc.oneof(fc.string(), value),
      },
      { requiredKeys: ['role'] },
    )
    const request = fc.record(
      {
        messages: fc.oneof(fc.array(message), value),
        tools: value,
        tool_choice: value,
        response_format: value,
        stop: value,
      },
      { requiredKeys: ['messages'] },
    )
    await fc.assert(
      fc.asyncProperty(request, async body => {
        const { status } = await post('/chat/completions', body)
        assert.ok(status === 200 || status === 400, String(status))
        const forwarded = takeForwarded()
        assert.equal(forwarded.length, status === 200 ? 1 : 0)
        for (const sent of forwarded) assert.ok(isPartOf(sent['messages'], (body as { messages: unknown }).messages))
      }),
      { numRuns: 300 },
    )
  })
})

interface Confusion {
  readonly valid: object
  readonly field: string
  readonly value: unknown
}

async function confuse({ post, takeForwarded }: HostileTarget, path: string, { valid, field, value }: Confusion) {
  const what = `${field}: ${JSON.stringify(value)}`
  const { status, error } = await post(path, { ...valid, [field]: value })
  const forwarded = takeForwarded()
  if (status !== 200) {
    assert.ok(status === 400 || (status === 404 && field === 'model'), `${what} → ${status}`)
    const place = error?.param ?? ''
    assert.ok(place === field || place.startsWith(`${field}.`) || place.startsWith(`${field}[`), `${what} → ${place}`)
    assert.deepEqual(forwarded, [], what)
    return
  }
  assert.equal(forwarded.length, 1, what)
  if (written.has(field)) return
  const seen = forwarded[0]?.[field]
  assert.ok(
    seen === undefined || JSON.stringify(seen) === JSON.stringify(value),
    `${what} became ${JSON.stringify(seen)}`,
  )
}

/** Whether a value is another one with, at most, keys left out. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) {
    return Object.is(part, whole) || part === whole
  }
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && Array.isArray(whole) && part.length !== whole.length) return false
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && isPartOf(value, (whole as Record<string, unknown>)[key]),
  )
}
