import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findLoneSurrogate } from '../../src/domain/surrogate-escape.ts'

test('half of a pair is found where it stands, a whole one is none, and an escaped backslash begins nothing', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['', -1],
    ['"plain"', -1],
    ['"\\ud800"', 1],
    ['"\\uDFFF"', 1],
    ['"\\ud83d\\ude00"', -1],
    ['"\\ud83d\\ud83d\\ude00"', 1],
    ['"\\ude00\\ud83d"', 1],
    ['"\\\\ud800"', -1],
    ['"\\\\\\ud800"', 3],
    ['"\\n\\u00e9\\ud7ff\\ue000"', -1],
    ['"\\ud83d', 1],
    ['"\\u', -1],
    [`"${'x'.repeat(100)}\\ud800"`, 101],
  ]
  for (const [text, at] of cases) assert.equal(findLoneSurrogate(Buffer.from(text)), at, text)
})

test('it finds one exactly where a string that JSON has read is not well-formed', () => {
  const unit = fc.integer({ min: 0, max: 0xffff }).map(code => String.fromCharCode(code))
  const halves = fc.constantFrom('\ud83d', '\ude00', '\\', '"', 'u', 'd', '\n')
  fc.assert(
    fc.property(fc.array(fc.oneof(unit, halves), { maxLength: 60 }), units => {
      const text = units.join('')
      const escaped = [...Array(text.length).keys()]
        .map(index => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`)
        .join('')
      for (const json of [JSON.stringify(text), `"${escaped}"`])
        assert.equal(findLoneSurrogate(Buffer.from(json)) === -1, text.isWellFormed(), json)
    }),
  )
})
