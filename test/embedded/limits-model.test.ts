import { test } from 'node:test'
import fc from 'fast-check'
import { MemoryLimits } from '../../src/embedded/limits.ts'
import { modelSteps, runModel } from '../support/limit-model.ts'
import { seeded } from '../support/seeded-store.ts'

test('L02: 1,000 sequences on the store in the process, by a clock that the test sets', async () => {
  let nowUs = Date.parse('2026-11-24T12:00:00Z') * 1000
  await fc.assert(
    fc.asyncProperty(modelSteps(2000), async steps => {
      const leaseMs = 3
      const store = seeded(new MemoryLimits({ nowUs: () => nowUs, leaseMs }))
      const wait = async (us: number) => {
        nowUs += us
      }
      await runModel(steps, { store, leaseMs, lastUs: () => nowUs, wait })
    }),
    { numRuns: 1000 },
  )
})
