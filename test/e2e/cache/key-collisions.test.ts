import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AnswerScope, answerKeyOf } from '../../../src/domain/cache-key.ts'

const secret = Buffer.alloc(32, 7)
const scope: AnswerScope = { operation: 'chat', accountId: 'a', model: 'm', revision: '', outputBound: 100 }

/** Texts that are likely to be mistaken for one another where pieces are only put together. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'ab',
    'b',
    ':',
    ';',
    's1:a',
    's0:',
    'a1:',
    'o1:',
    '\u0000',
    '.',
    'n1;',
    'n',
    'role',
    'user',
    '"',
    '\\',
  ),
  fc.constantFrom('é', 'e\u0301', 'ﬁ', 'fi', 'Å', 'A\u030a', '\u212b', '𝒳', 'X', '\u200b', ' '),
  fc.string({ maxLength: 4, unit: 'binary' }),
)
const message = fc.record(
  { role: fc.constantFrom('user', 'system', 'assistant'), content: text, name: text },
  { requiredKeys: ['role'] },
)
const anyBody = fc.record(
  {
    messages: fc.array(message, { maxLength: 3 }),
    seed: fc.integer({ min: 0, max: 3 }),
    temperature: fc.constantFrom(0, 0.5, 1),
    stop: fc.oneof(text, fc.array(text, { maxLength: 2 })),
    user: text,
    suffix: text,
    logit_bias: fc.dictionary(fc.constantFrom('1', '2', '12'), fc.integer({ min: -2, max: 2 }), { maxKeys: 2 }),
  },
  { requiredKeys: [] },
)
const anyScope = fc.record({
  accountId: text,
  model: text,
  revision: text,
  outputBound: fc.constantFrom(0, 1, 12),
})

/** What two requests must have in common to have the same key, worked out in another way. */
function meaningOf(asked: Record<string, unknown>, at: Partial<AnswerScope>): string {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, inner]) => [name, sorted(inner)])
        : value
  const { stop, logit_bias: bias, ...rest } = asked
  const stops = stop === undefined ? [] : [stop].flat()
  const biases = Object.keys(bias ?? {}).length === 0 ? null : sorted(bias)
  return JSON.stringify([sorted(rest), stops, biases, at.accountId, at.model, at.revision, at.outputBound])
}

test('C02: of 100,000 pairs of requests only those that mean the same have the same key', () => {
  const seen = new Map<string, string>()
  let pairs = 0
  let last: { key: string; meaning: string } | null = null
  const check = (asked: Record<string, unknown>, at: Partial<AnswerScope>) => {
    const fields = { values: new Map(Object.entries(asked)), bytes: Buffer.alloc(0), places: [] }
    const key = answerKeyOf(secret, { ...scope, ...at }, fields)
    const meaning = meaningOf(asked, at)
    assert.equal(seen.get(key) ?? meaning, meaning)
    // And the other way round: what means the same is found again.
    if (last !== null) {
      assert.equal(last.key === key, last.meaning === meaning)
      pairs++
    }
    seen.set(key, meaning)
    last = { key, meaning }
  }
  // In half of them only the scope differs, where what moves over a boundary is met often.
  const body = fc.oneof(anyBody, fc.constant({}))
  fc.assert(fc.property(body, anyScope, check), { numRuns: 100_001, endOnFailure: true })
  assert.ok(pairs >= 100_000)
})
