import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { buildLimitHeaders } from '../../src/domain/limit-headers.ts'
import { LoneLimiter } from '../../src/limits/lone-limiter.ts'
import { onEnd } from '../support/cleanup.ts'
import { limitSet, quota, rate } from '../support/limit-sets.ts'
import { startLimited } from '../support/limited.ts'
import { startSharedWorld } from '../support/shared-limiter.ts'

test('what nobody can say of a month is not said to be 0; a rate is known', async t => {
  const limiter = new LoneLimiter({ onTrouble: () => undefined })
  onEnd(t, () => limiter.close())
  const set = limitSet([rate(), quota()])
  // Its month began before this process, and nobody has the ledger.
  deepEqual(await limiter.look(set), { set, states: [{ used: 0, waitUs: 0 }, null], isLocal: false })
})

test('of a caller that a silent Redis would have to be asked about nothing is known', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([rate(), quota()])
  one.proxy.blackhole()
  deepEqual(await one.limiter.look(set), { set, states: [null, null], isLocal: true })
})

test('headers leave out what is not known', () => {
  const set = limitSet([rate(), rate({ name: 'requests_per_day', size: 100 })])
  const known = { used: 1, waitUs: 0 }
  deepEqual(buildLimitHeaders(set, [null, null]), {})
  deepEqual(
    buildLimitHeaders(set, [null, known]),
    buildLimitHeaders(limitSet([rate({ name: 'requests_per_day', size: 100 })]), [known]),
  )
})

test('without Redis a caller is told that its month is not known, until its first request has it looked up', async t => {
  // Nobody listens there.
  const redisUrl = 'redis://127.0.0.1:1'
  const tiers = { free: { limits: { requestsPerDay: 100 }, quotas: { tokensPerMonth: 10_000 } } }
  const world = await startLimited(t, { redisUrl, tiers, more: { stores: { replicas: 1 } } })
  const caller = await world.caller()
  const before = await caller.limits()
  deepEqual([before['requests_per_day']?.used, before['requests_per_day']?.remaining], [0, 100])
  const month = before['tokens_per_month']
  deepEqual([month?.limit, month?.used, month?.remaining], [10_000, null, null])
  deepEqual(typeof month?.resets_at, 'string')
  deepEqual((await caller.chat()).status, 200)
  deepEqual(typeof (await caller.limits())['tokens_per_month']?.used, 'number')
})
