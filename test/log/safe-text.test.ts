import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { safeText } from '../../src/log/safe-text.ts'

const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200f\ufeff]/u

test('O04 nothing that moves, hides or turns what stands beside it is left of any text, and its length is bounded', () => {
  const marks = fc.constantFrom(
    '\r\n',
    '\u001b[2J',
    '\u009b31m',
    '\u202e',
    '\u2066',
    '\u2028',
    '\u2029',
    '\u0000',
    '\ud800',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), marks), { maxLength: 20 }), parts => {
      const text = safeText(parts.join(''), 50)
      assert.doesNotMatch(text, unseen)
      assert.ok(text.isWellFormed())
      assert.ok(text.length <= 51 * '\\u{10ffff}'.length)
    }),
    { numRuns: 1000 },
  )
})

test('ordinary text of any script stays as it is', () => {
  for (const text of ['plain', 'größer', '日本語', 'עברית', '👩‍👩‍👧'.replaceAll('\u200d', ''), '"quoted" \\ /'])
    assert.equal(safeText(text, 100), text)
  assert.equal(safeText('a\nb\u009b', 100), 'a\\u{a}b\\u{9b}')
  assert.equal(safeText('abcdef', 3), 'abc…')
})
