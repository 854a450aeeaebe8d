import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { signIn } from '../../support/redis-admin.ts'
import { limitLogs, type Replicas, startReplicas } from '../../support/replicas.ts'

const replicas = 4
const perMinute = 1000
const everyReplica = Array.from({ length: replicas }, (_, index) => index)

/** The first of four that ask one after the other does not know of the other three, and so on; each gets a quarter of the rest. */
const unknownToParts = Math.ceil((3 + 2 + 1) / replicas)

/** What a limit of `size` per minute admits in so many microseconds, however many ask. */
const bound = (size: number, us: number): number => Math.floor(size + (size * us) / 60_000_000)

test('four replicas share one Redis', async t => {
  const world = await startReplicas(t, {
    count: replicas,
    tiers: { free: { limits: { requestsPerMinute: perMinute } }, open: {} },
  })
  await world.warmUp('open')

  await t.test('L10 where scripts are forbidden each replica says so, and keeps to its part', async () => {
    const admin = await signIn(t, world.redis.url)
    const { key } = await world.caller('free')
    const logged = world.gateways.map(({ logs }) => logs().length)
    await admin.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha')
    await assertParts(world, key)
    assert.deepEqual(
      await world.alone(),
      everyReplica.map(() => true),
    )
    for (const [replica, { logs }] of world.gateways.entries()) {
      const alarms = logs()
        .slice(logged[replica])
        .filter(({ level, reason }) => level === 50 && String(reason).includes('NOPERM'))
      assert.equal(alarms.length, 1, 'one line at the level error, which says why')
    }
    await admin.call('ACL', 'SETUSER', 'default', '+@all')
    await world.becomes('together')
  })

  await t.test('L09 without Redis they admit together what they would with it', async () => {
    await withoutRedis(world)
  })
})

async function withoutRedis(world: Replicas): Promise<void> {
  const [fresh, former] = [await world.caller('free'), await world.caller('free')]
  const beganAt = performance.now()
  const { 200: before } = await world.flood({ key: former.key, total: 696, concurrency: 8 })
  // Each replica knows what was used when it asked last: the last four ask one after the other.
  for (const replica of everyReplica) assert.equal(await world.ask(replica, former.key), 200)
  assert.equal(before, 696)
  await world.redis.kill()
  await world.becomes('alone')

  const localAt = performance.now()
  await assertParts(world, fresh.key)
  const { 200: later = 0 } = await world.flood({ key: former.key, total: 1200, concurrency: 16 })
  const most = bound(perMinute, (performance.now() - beganAt) * 1000) - 700 + unknownToParts
  assert.ok(later <= most, `what was used before the outage counts: ${later} more, at most ${most}`)
  assert.ok(later >= 300, `and no more than that: ${later}`)

  await world.redis.start()
  await world.becomes('together')
  await eventually('what was used without Redis is counted in it', async () => {
    for (const [key, locally] of [
      [fresh.key, 1000],
      [former.key, later],
    ] as const) {
      const { counted, used } = await world.limits(0, key)
      const refilled = (perMinute * (performance.now() - localAt)) / 60_000
      assert.equal(counted, 'together')
      assert.ok(
        (used['requests_per_minute'] ?? 0) >= locally - refilled,
        `${used['requests_per_minute']} of ${locally}`,
      )
    }
    return true
  })
}

/** Asks every replica for more than the whole limit: each admits a quarter of it and what is refilled of that, to the request. */
async function assertParts(world: Replicas, key: string): Promise<void> {
  const part = perMinute / replicas
  const beganAt = performance.now()
  const floods = await Promise.all(
    everyReplica.map(replica => world.flood({ key, total: 600, concurrency: 6, replicas: [replica] })),
  )
  const most = bound(part, (performance.now() - beganAt) * 1000)
  for (const tally of floods) {
    const { 200: admitted = 0, 429: denied = 0 } = tally
    assert.equal(admitted + denied, 600, JSON.stringify(tally))
    assert.ok(admitted >= part && admitted <= most, `${admitted}, not ${part} to ${most}\n${limitLogs(world)}`)
  }
}
