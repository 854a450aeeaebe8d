import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { connectRedis } from '../../src/store/redis-client.ts'
import { onEnd } from '../support/cleanup.ts'
import { modelSteps, runModel } from '../support/limit-model.ts'
import { modelledRedis } from '../support/limit-redis.ts'
import { createRedisDatabase } from '../support/services.ts'

test('L02: sequences on the store in Redis; 1,000 of them are in test/chaos', async t => {
  const client = connectRedis(await createRedisDatabase(t), { commandTimeout: 5000 })
  onEnd(t, () => client.disconnect())
  await once(client, 'ready')
  const redis = modelledRedis(client)
  await fc.assert(
    fc.asyncProperty(modelSteps(2000), steps => runModel(steps, redis)),
    { numRuns: 40, endOnFailure: true },
  )
})
