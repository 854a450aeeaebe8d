import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { limitLogs, startReplicas } from '../../support/replicas.ts'

const replicas = 3
const costUsd = 0.01
/** Tokens that are numbers are reserved exactly, so that nobody waits for what others give back. */
const input = [11, 12]
const perMillion = String((costUsd / input.length) * 1_000_000)

test('L03 a budget of 10.00, and 5,000 at once that cost 0.01 each: 1,000 are served', async t => {
  const world = await startReplicas(t, {
    count: replicas,
    tiers: {
      open: {},
      budget: { spendLimits: { perDay: '10.00' } },
    },
    input,
    model: { endpoints: ['embeddings'], prices: [{ from: '2026-01-01', input: perMillion }] },
  })
  await world.warmUp('open')

  const { account, key } = await world.caller('budget')
  const tally = await world.flood({ key, total: 5000, concurrency: 5000 })
  t.diagnostic(JSON.stringify(tally))
  assert.deepEqual(tally, { 200: 1000, 429: 4000 }, limitLogs(world))
  await eventually('the ledger to have them', async () => (await world.usage(account)).requests === 1000)
  assert.deepEqual(await world.usage(account), { requests: 1000, cost: '10' })
  assert.deepEqual((await world.limits(1, key)).used, { spend_per_day: '10' })
})
