import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/eventually.ts'
import { assertUnnoticed, type Outage } from '../../support/limit-outage.ts'
import { limitLogs, type Replicas, startReplicas } from '../../support/replicas.ts'

/** So few a day that nothing is refilled while a test runs. */
const perDay = 400
const tokensOfOne = 2
/** The row's figures, and what a request takes when nobody is waited for. */
const maxWaitMs = 50
const maxFailures = 5

const waysToFreeze: Readonly<Record<string, (world: Replicas) => Outage>> = {
  SIGSTOP: ({ redis }) => ({ begin: async () => redis.freeze(), end: async () => redis.thaw() }),
  'CLIENT PAUSE': world => {
    const pauseMs = 6000
    let untilMs = 0
    return {
      begin: () => {
        untilMs = performance.now() + pauseMs
        return world.askRedis(client => client.call('CLIENT', 'PAUSE', String(pauseMs), 'ALL'))
      },
      end: () => sleep(Math.max(1, untilMs - performance.now())),
    }
  },
}

test('Redis takes connections and does not answer', async t => {
  const world = await startReplicas(t, {
    count: 1,
    tiers: {
      plenty: { limits: { requestsPerMinute: 1_000_000, requestsInFlight: 1000 } },
      exact: { limits: { requestsPerDay: perDay, requestsInFlight: 20 }, quotas: { tokensPerMonth: 1_000_000 } },
    },
  })
  await world.warmUp('plenty')

  for (const [name, how] of Object.entries(waysToFreeze)) {
    await t.test(`L06 ${name}: callers do not notice`, t => assertUnnoticed(t, world, how(world)))

    await t.test(`L06, L08 ${name}: few wait, and nothing stays held`, async () => {
      await assertNothingLost(world, how(world))
    })
  }
})

/** Of so many requests a day all are admitted, before, during and after the outage, and not one more. */
async function assertNothingLost(world: Replicas, { begin, end }: Outage): Promise<void> {
  const { account, key } = await world.caller('exact')
  assert.deepEqual(await world.flood({ key, total: 100, concurrency: 5 }), { 200: 100 })
  await begin()
  try {
    await assertFewWait(world, key)
    assert.deepEqual(await world.flood({ key, total: 80, concurrency: 20 }), { 200: 80 })
  } finally {
    await end()
  }
  await world.becomes('together')
  await assertSettled(world, { account, key, requests: 200 })
  const rest = await world.flood({ key, total: 300, concurrency: 10 })
  assert.deepEqual(rest, { 200: perDay - 200, 429: 100 }, limitLogs(world))
  await assertSettled(world, { account, key, requests: perDay })
}

/** One after the other: so many failures open the breaker, and then nobody waits. */
async function assertFewWait(world: Replicas, key: string): Promise<void> {
  const durations: number[] = []
  for (let asked = 0; asked < 20; asked += 1) {
    const atMs = performance.now()
    assert.equal(await world.ask(0, key), 200)
    durations.push(performance.now() - atMs)
  }
  const rounded = durations.map(ms => Math.round(ms)).join(', ')
  const waited = durations.filter(ms => ms >= maxWaitMs - 20)
  assert.ok(waited.length >= 1 && waited.length <= maxFailures, `they took ${rounded} ms`)
  assert.ok(Math.max(...durations) <= maxWaitMs + 25, `they took ${rounded} ms`)
  assert.deepEqual(await world.waitsForNobody(), [true])
  await world.becomes('alone', 500)
}

interface Settled {
  readonly account: string
  readonly key: string
  readonly requests: number
}

/** Redis holds nothing for this account, and counts what it has really used. */
async function assertSettled(world: Replicas, { account, key, requests }: Settled): Promise<void> {
  await eventually('all is settled', async () => {
    const held = await world.askRedis(client => client.keys(`weir:{${account}}:hold:*`))
    // What was charged and not reserved leaves an empty record, so that it is not charged twice.
    const values = await world.askRedis(client => Promise.all(held.map(name => client.get(name))))
    assert.deepEqual(
      values.filter(value => value !== ''),
      [],
    )
    const { counted, used } = await world.limits(0, key)
    const { requests_per_day, requests_in_flight, tokens_per_month } = used
    const found = { counted, requests_per_day, requests_in_flight, tokens_per_month }
    const wanted = { requests_per_day: requests, requests_in_flight: 0, tokens_per_month: requests * tokensOfOne }
    assert.deepEqual(found, { counted: 'together', ...wanted })
    return true
  })
}
