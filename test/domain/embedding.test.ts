import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { convertVector, decodeVector, encodeVector } from '../../src/domain/embedding.ts'

const vector = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 50 })

test('base64 and floats are the same vector', () => {
  fc.assert(fc.property(vector, values => assert.deepEqual(decodeVector(encodeVector(values)), values)))
})

test('little-endian, as the SDKs decode it', () => {
  assert.equal(encodeVector([1, -2]), Buffer.from(new Float32Array([1, -2]).buffer).toString('base64'))
})

test('what was asked for comes out, whatever came in', () => {
  const base64 = encodeVector([0.5, 0.25])
  assert.deepEqual(convertVector(base64, 'float'), [0.5, 0.25])
  assert.equal(convertVector(base64, 'base64'), base64)
  assert.equal(convertVector([0.5, 0.25], 'base64'), base64)
  assert.deepEqual(convertVector([0.5, 0.25], 'float'), [0.5, 0.25])
  assert.equal(convertVector(['0.5'], 'float'), undefined)
  assert.equal(convertVector(null, 'float'), undefined)
  const notANumber = Buffer.from(new Float32Array([Number.NaN]).buffer).toString('base64')
  assert.equal(convertVector(notANumber, 'float'), undefined)
  for (const rubbish of ['AAA=', 'AAAAAAA=', '%%%%', '', []]) {
    assert.equal(convertVector(rubbish, 'float'), undefined)
    assert.equal(convertVector(rubbish, 'base64'), undefined)
  }
})
