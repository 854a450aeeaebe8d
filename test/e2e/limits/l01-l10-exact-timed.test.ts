import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { signIn } from '../../support/redis-admin.ts'
import { type Decision, type DecisionLog, watchDecisions } from '../../support/redis-decisions.ts'
import { limitLogs, type Replicas, startReplicas, type Tally } from '../../support/replicas.ts'

const replicas = 4
const perMinute = 1000
/** What a limit of `size` per minute admits in so many microseconds, however many ask. */
const bound = (size: number, us: number): number => Math.floor(size + (size * us) / 60_000_000)

/** All that came of one account's requests. */
interface Load {
  readonly tally: Tally
  readonly decisions: readonly Decision[]
}

test('four replicas share one Redis, to the request', async t => {
  const world = await startReplicas(t, {
    count: replicas,
    tiers: { free: { limits: { requestsPerMinute: perMinute } }, open: {} },
  })
  await world.warmUp('open')
  const log = await watchDecisions(t, world.redis.url)

  await t.test('L01 they admit what one would, to the request', async () => {
    const load = await flood(world, log, { total: 2000, concurrency: 200 })
    assertExact(world, load)
  })

  await t.test('L10 a limit stays exact while scripts are flushed again and again', async () => {
    const flushing = new AbortController()
    const flushed = flushScripts(world, flushing.signal)
    const load = await flood(world, log, { total: 1600, concurrency: 16 })
    flushing.abort()
    assert.ok((await flushed) > 10, 'it was flushed under load')
    assertExact(world, load)
  })

  await t.test('L10 a limit stays exact where SCRIPT is forbidden', async () => {
    const admin = await signIn(t, world.redis.url)
    await admin.call('ACL', 'SETUSER', 'default', '-script')
    await admin.script('FLUSH')
    const load = await flood(world, log, { total: 1600, concurrency: 16 })
    assertExact(world, load)
    await admin.call('ACL', 'SETUSER', 'default', '+@all')
  })
})

async function flood(world: Replicas, log: DecisionLog, how: { total: number; concurrency: number }): Promise<Load> {
  const { account, key } = await world.caller('free')
  const tally = await world.flood({ key, ...how })
  return { tally, decisions: await log.decisions(account) }
}

/** N + N/60 × the seconds between the first and the last decision by Redis' clock, rounded down. */
function assertExact(world: Replicas, { tally, decisions }: Load): void {
  const { 200: admitted = 0, 429: denied = 0, ...others } = tally
  assert.deepEqual(others, {})
  const [first, last] = [decisions[0], decisions.at(-1)]
  assert.ok(first !== undefined && last !== undefined && denied > 0)
  const least = bound(perMinute, last.notBeforeUs - first.notAfterUs)
  const most = bound(perMinute, last.notAfterUs - first.notBeforeUs)
  const found = `${admitted}, not ${least} to ${most}, in ${decisions.length} decisions\n${limitLogs(world)}`
  assert.ok(admitted >= least && admitted <= most, found)
}

async function flushScripts(world: Replicas, signal: AbortSignal): Promise<number> {
  return await world.askRedis(async client => {
    let times = 0
    for (; !signal.aborted; times += 1) {
      await client.script('FLUSH')
      await sleep(10)
    }
    return times
  })
}
