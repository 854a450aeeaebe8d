import { test } from 'node:test'
import fc from 'fast-check'
import { modelSteps, runModel } from '../support/limit-model.ts'
import { connect, modelledRedis } from '../support/limit-redis.ts'
import { createRedisDatabase } from '../support/services.ts'

test('L02: 1,000 sequences on the store in Redis', async t => {
  const redis = modelledRedis(await connect(t, await createRedisDatabase(t)))
  // Time is real, so a shorter sequence may pass that should fail as well: no shrinking.
  await fc.assert(
    fc.asyncProperty(modelSteps(2000), steps => runModel(steps, redis)),
    { numRuns: 1000, endOnFailure: true },
  )
})
