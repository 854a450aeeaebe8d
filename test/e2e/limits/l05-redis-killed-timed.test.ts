import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertUnnoticed } from '../../support/limit-outage.ts'
import { startReplicas } from '../../support/replicas.ts'

test('L05 callers do not notice that Redis is killed, and it is counted in again when it is back', async t => {
  const world = await startReplicas(t, {
    count: 1,
    tiers: { plenty: { limits: { requestsPerMinute: 1_000_000, requestsInFlight: 1000 } } },
  })
  await world.warmUp('plenty')
  await assertUnnoticed(t, world, {
    begin: () => world.redis.kill(),
    end: () => world.redis.start(),
  })
  assert.deepEqual(world.backend.failures, [])
})
