import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { adminOf } from '../../support/admin.ts'
import { eventually } from '../../support/eventually.ts'
import { armsOf, experimentName, gatewayWithArms } from '../../support/experiment-world.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase, createRedisDatabase } from '../../support/services.ts'

const users = Array.from({ length: 12 }, (_, index) => `user-${index}`)

for (const [how, redis, withinMs] of [
  // Sooner than it would look by itself, having just done so.
  ['told by Redis', true, 3000],
  ['without Redis', false, 5000],
] as const) {
  test(`a change takes effect on another replica within five seconds, ${how}`, async t => {
    const backend = await startScriptedBackend(t)
    const [one, two] = await startTwo(t, backend.url, redis)
    const before = await armsOf(one, backend, users)
    assert.deepEqual(new Set(before), new Set(['old', 'new']))
    // Of the same caller all replicas think the same.
    assert.deepEqual(await armsOf(two, backend, users), before)
    const find = () => two.app.experiments.states.find(experimentName)
    for (const changes of [
      { ramp_percent: 0 },
      { ramp_percent: 100, state: 'paused' },
      { state: 'ended', winner: 'new' },
    ]) {
      const { state, ramp_percent } = await adminOf(one).get('PATCH', `/experiments/${experimentName}`, changes)
      await eventually(
        'the other replica knows',
        () => find()?.status === state && find()?.rampPercent === ramp_percent,
        {
          withinMs,
        },
      )
    }
    assert.deepEqual(new Set(await armsOf(two, backend, users)), new Set(['new']))
  })
}

async function startTwo(t: TestContext, url: string, redis: boolean) {
  const env = {
    DATABASE_URL: await createDatabase(t),
    ...(redis && { REDIS_URL: await createRedisDatabase(t) }),
  }
  const one = await gatewayWithArms(t, { url }, { env })
  const two = await gatewayWithArms(t, { url }, { env })
  const isKnown = () => [one, two].every(({ app }) => app.experiments.states.find(experimentName) !== null)
  await eventually('both know the states', isKnown)
  return [one, two] as const
}
