import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { type Replicas, startReplicas } from '../../support/replicas.ts'

/** By then every replica has heard of a change. */
const heardWithinMs = 5000
const perDay = (requestsPerDay: number) => ({ limits: { requestsPerDay } })

test('two replicas', async t => {
  const world = await startReplicas(t, {
    count: 2,
    tiers: { small: perDay(100), large: perDay(200), paced: { limits: { requestsPerMinute: 60, burst: 1 } } },
  })

  await t.test(
    'another tier, or limits of its own, hold at once and everywhere, and nothing counted is lost',
    async () => {
      const { account, key } = await world.caller('small')
      assert.deepEqual(await world.flood({ key, total: 110, concurrency: 4 }), { 200: 100, 429: 10 })

      await change(world, account, { tier: 'large' })
      await assertHolds(world, key, { limit: 200, used: 100 })
      assert.deepEqual(await world.flood({ key, total: 20, concurrency: 4 }), { 200: 20 })

      await change(world, account, { limits: { requests_per_day: 50 } })
      await assertHolds(world, key, { limit: 50, used: 120 })
      assert.deepEqual(await world.flood({ key, total: 10, concurrency: 4 }), { 429: 10 })

      await change(world, account, { limits: { requests_per_day: 130 } })
      await assertHolds(world, key, { limit: 130, used: 120 })
      assert.deepEqual(await world.flood({ key, total: 20, concurrency: 4 }), { 200: 10, 429: 10 })
    },
  )

  await t.test('the SDK waits through a 429 by itself, whichever replica it comes to', async () => {
    const { key } = await world.caller('paced')
    const statuses: number[] = []
    let asked = 0
    const openai = new OpenAI({
      apiKey: key,
      baseURL: `${world.gateways[0]?.url}/v1`,
      maxRetries: 2,
      fetch: async (url, init) => {
        const replica = world.gateways[asked++ % world.gateways.length]
        const response = await boundedFetch(`${replica?.url}${new URL(String(url)).pathname}`, init)
        statuses.push(response.status)
        return response
      },
    })
    for (let call = 0; call < 4; call += 1) await openai.embeddings.create({ model: 'tinychat', input: 'hi' })
    // One is free at once; the others are told how long to wait, and once is enough.
    assert.deepEqual(statuses, [200, 429, 200, 429, 200, 429, 200])
  })
})

async function change(world: Replicas, account: string, body: object): Promise<void> {
  await world.admin(0, 'PATCH', `/accounts/${account}`, body)
}

async function assertHolds(world: Replicas, key: string, wanted: { limit: number; used: number }): Promise<void> {
  const seen = async (replica: number) => {
    const { counted, limit, used } = await world.limits(replica, key)
    return { counted, limit: limit['requests_per_day'], used: used['requests_per_day'] }
  }
  const expected = { counted: 'together', ...wanted }
  assert.deepEqual(await seen(0), expected, 'at once where it was changed')
  await eventually(
    'it holds on the other replica',
    async () => {
      assert.deepEqual(await seen(1), expected)
      return true
    },
    { withinMs: heardWithinMs },
  )
}
