import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeAnswer, decodeVector, encodeAnswer, encodeVector } from '../../src/cache/entry.ts'

const name = { secret: Buffer.alloc(32, 1), key: 'k' }
const usage = { inputTokens: 3, cachedInputTokens: 0, outputTokens: 5, reasoningTokens: null }
const answer = {
  atMs: 1000,
  usage,
  callsTools: false,
  extras: { system_fingerprint: 'ü' },
  choices: '[{"index":0,"x":"\\n\u2028"}]',
}

test('an answer is read as it was written', () => {
  assert.deepEqual(decodeAnswer(name, encodeAnswer(name, answer)), answer)
})

test('a vector is read as it was written, whether its numbers are single or double', () => {
  const check = (vector: readonly number[]) => {
    const stored = { atMs: 5, inputTokens: 2, vector }
    assert.deepEqual(decodeVector(name, encodeVector(name, stored)), stored)
  }
  const some = { minLength: 1, maxLength: 20 }
  fc.assert(fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), some), check), { numRuns: 100 })
  fc.assert(fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), some), check), { numRuns: 100 })
  const bytes = encodeVector(name, { atMs: 1, inputTokens: 1, vector: [0.5, 0.25] }).length
  assert.equal(encodeVector(name, { atMs: 1, inputTokens: 1, vector: [0.5, 0.1] }).length - bytes, 8)
})

test('C07: what was cut, changed, made by another version, for another key or with another secret is no entry', () => {
  const bytes = encodeAnswer(name, answer)
  const vector = encodeVector(name, { atMs: 1, inputTokens: 1, vector: [1] })
  for (const decode of [decodeAnswer, decodeVector]) {
    for (const whole of [bytes, vector]) {
      for (let length = 0; length < whole.length; length++) assert.equal(decode(name, whole.subarray(0, length)), null)
      for (let at = 0; at < whole.length; at++) {
        const changed = Buffer.from(whole)
        changed[at] = (changed[at] ?? 0) ^ 0x40
        assert.equal(decode(name, changed), null, `byte ${at}`)
      }
      assert.equal(decode({ ...name, key: 'other' }, whole), null)
      assert.equal(decode({ ...name, secret: Buffer.alloc(32, 2) }, whole), null)
      assert.equal(decode(name, Buffer.concat([whole, Buffer.of(0)])), null)
    }
    for (const text of ['', '{}', '{"choices":[]}', '\u0001', 'null', '\u0001'.repeat(100)]) {
      assert.equal(decode(name, Buffer.from(text)), null)
    }
  }
  // Each is sealed as well, and is still not the other.
  assert.equal(decodeVector(name, bytes), null)
  assert.equal(decodeAnswer(name, vector), null)
})
