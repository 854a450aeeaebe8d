import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import { limitLogs, type Replicas, startReplicas } from '../support/replicas.ts'

const replicas = 3
const costUsd = 0.01
/** Tokens that are numbers are reserved exactly, so that nobody waits for what others give back. */
const input = [11, 12]
const perMillion = String((costUsd / input.length) * 1_000_000)

test('L12 Redis forgets all, again and again under load: nobody spends more than there is', async t => {
  const world = await startReplicas(t, {
    count: replicas,
    tiers: {
      open: {},
      month: { spendLimits: { perMonth: '40.00' } },
    },
    input,
    model: { endpoints: ['embeddings'], prices: [{ from: '2026-01-01', input: perMillion }] },
  })
  await world.warmUp('open')

  const { account, key } = await world.caller('month')
  const flushing = new AbortController()
  const flushed = flushAgain(world, flushing.signal)
  const tally: Record<number, number> = {}
  do {
    for (const [status, count] of Object.entries(await world.flood({ key, total: 600, concurrency: 60 })))
      tally[Number(status)] = (tally[Number(status)] ?? 0) + count
  } while ((tally[429] ?? 0) < 600)
  flushing.abort()
  t.diagnostic(`${JSON.stringify(tally)}, flushed ${await flushed} times`)
  assert.ok((await flushed) >= 3, 'it was flushed under load')
  const { 200: served = 0, 429: _denied, ...others } = tally
  assert.deepEqual(others, {}, limitLogs(world))
  assert.equal(served, 4000)
  await eventually('the ledger to have them', async () => (await world.usage(account)).requests === 4000)
  assert.deepEqual(await world.usage(account), { requests: 4000, cost: '40' })
  assert.deepEqual((await world.limits(1, key)).used, { spend_per_month: '40' })
})

async function flushAgain(world: Replicas, signal: AbortSignal): Promise<number> {
  let times = 0
  for (; !signal.aborted; times += 1) {
    await sleep(300)
    await world.askRedis(client => client.flushall())
    // Long enough that some are served in between.
    await sleep(2200)
  }
  return times
}
