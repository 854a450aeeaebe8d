import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { findJsonFault } from '../../src/domain/json-fault.ts'
import { invalidTexts, validTexts } from '../support/json-corpus.ts'
import { jsonObject, writeFreely } from '../support/json-text.ts'

const parses = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('the search for a fault', () => {
  test('H07 agrees with JSON.parse about every text of the corpus', () => {
    for (const text of validTexts) {
      assert.ok(parses(text), text)
      assert.equal(findJsonFault(text), undefined, text)
    }
    for (const text of invalidTexts) {
      assert.ok(!parses(text), text)
      assert.notEqual(findJsonFault(text), undefined, text)
    }
  })

  test('H07 agrees with JSON.parse about texts that were damaged', () => {
    fc.assert(
      fc.property(
        jsonObject,
        fc.gen(),
        fc.nat(),
        fc.constantFrom(...'{}[]:,"\\ a1e.-+0'),
        (object, gen, at, damage) => {
          const text = writeFreely(object, () => gen(fc.nat, 59))
          const place = at % text.length
          const damaged = text.slice(0, place) + damage + text.slice(place + 1)
          const fault = findJsonFault(damaged)
          if (fault?.path === undefined) assert.equal(fault === undefined, parses(damaged), damaged)
          else assert.match(fault.problem, /twice/)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('gives up after a while and says up to where it has looked', () => {
    const fault = findJsonFault(`[${'1,'.repeat(100_000)}x]`)
    assert.match(fault?.where ?? '', /^somewhere after line 1, column [0-9]+$/)
  })

  test('counts lines and columns from one', () => {
    assert.equal(findJsonFault('{\n"a": 1,\n  "b": x\n}')?.where, 'at line 3, column 8')
    assert.equal(findJsonFault(Buffer.from('x').toString())?.where, 'at line 1, column 1')
  })
})
