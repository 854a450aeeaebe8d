import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultMinDrainMs, stagesOf } from '../../src/domain/stop-stages.ts'

test('the stages of stopping', () => {
  assert.deepEqual(stagesOf(30_000, 5000), { servingMs: 5000, endingMs: 20_000, cuttingMs: 27_000 })
  assert.deepEqual(stagesOf(0, 0), { servingMs: 0, endingMs: 0, cuttingMs: 500 })
})

test('whatever the grace, they lie within it and in order, the default of the minimum drain too', () => {
  const graces = fc.integer({ min: 1500, max: 86_400_000 })
  const drains = fc.integer({ min: 0, max: 86_400_000 })
  fc.assert(
    fc.property(graces, drains, (graceMs, minDrainMs) => {
      const { servingMs, endingMs, cuttingMs } = stagesOf(graceMs, minDrainMs)
      assert.ok(0 <= servingMs && servingMs <= endingMs && endingMs < cuttingMs && cuttingMs <= graceMs)
      assert.ok(defaultMinDrainMs(graceMs, false) <= endingMs)
      assert.equal(defaultMinDrainMs(graceMs, true), 0)
    }),
    { numRuns: 200 },
  )
})
