import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isSampled } from '../../src/domain/sampling.ts'

test('all, none, and about the share in between, the same each time; a larger share has all of a smaller one', () => {
  const ids = Array.from({ length: 20_000 }, (_, at) => `req_${at}`)
  assert.ok(ids.every(id => isSampled(id, 1) && !isSampled(id, 0)))
  const tenth = ids.filter(id => isSampled(id, 0.1))
  assert.ok(Math.abs(tenth.length - 2000) < 5 * Math.sqrt(20_000 * 0.1 * 0.9), String(tenth.length))
  assert.deepEqual(
    ids.filter(id => isSampled(id, 0.1)),
    tenth,
  )
  fc.assert(
    fc.property(fc.string(), fc.double({ min: 0, max: 1, noNaN: true }), (id, share) => {
      if (isSampled(id, share)) assert.ok(isSampled(id, share + (1 - share) / 2))
    }),
  )
})
