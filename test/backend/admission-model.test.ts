import { mock, test } from 'node:test'
import fc from 'fast-check'
import { AdmissionModel } from './admission-model.ts'
import { steps } from './admission-steps.ts'

test('it does what a naive list for each backend does, whatever happens while it chooses', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(1, 2, 1000), async (schedule, maxWaiting) => {
        const model = new AdmissionModel(maxWaiting, ms => mock.timers.tick(ms))
        for (const step of schedule) model.take(step)
        await model.end()
      }),
      { numRuns: 2000 },
    )
  } finally {
    mock.timers.reset()
  }
})
