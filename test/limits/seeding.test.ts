import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { LimitSet } from '../../src/domain/limit.ts'
import { LoneLimiter } from '../../src/limits/lone-limiter.ts'
import { Seeding } from '../../src/limits/seeding.ts'
import { UncountedRequests } from '../../src/limits/uncounted-requests.ts'
import { RedisLimits } from '../../src/store/limits.ts'
import { eventually } from '../support/eventually.ts'
import { KeptUse } from '../support/kept-use.ts'
import { newId } from '../support/limit-conformance.ts'
import { limitSet, quota, rate, spendLimit } from '../support/limit-sets.ts'
import { startSharedWorld } from '../support/shared-limiter.ts'

/** Nothing of it is refilled. */
const total = (capacity: number) => rate({ size: 0, capacity })
const month = (size: number) => quota({ size })

test('what was used before Redis was there counts, of account and key', async t => {
  const { makeLimiter, kept, used } = await startSharedWorld(t)
  const set = limitSet([month(100), total(100), { ...month(50), of: 'key' }], { keyId: 'k' })
  kept.keep('earlier', set, [60, 60, 10])
  kept.keep('of another key', limitSet([month(100), { ...month(50), of: 'key' }], { ...set, keyId: 'l' }), [15, 15])
  const one = await makeLimiter()
  const { states } = await one.admit(set, [20, 20, 20])
  deepEqual(
    states.map(state => state.used),
    [95, 20, 30],
  )
  equal((await one.ask(set, [6, 6, 6])).kind, 'denied')
  deepEqual(await used(set), [95, 20, 30])
})

test('a look tells what was used before as well', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const set = limitSet([month(100)])
  kept.keep('earlier', set, [60])
  const one = await makeLimiter()
  await one.admit(limitSet([month(1)]), [0])
  deepEqual(await one.limiter.look(set), { set, states: [{ used: 60, waitUs: 0 }], isLocal: false })
})

test('while nobody can say what was used nobody is let in, and later everybody is', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const one = await makeLimiter()
  const [set, rates] = [limitSet([month(100)]), limitSet([total(100)])]
  kept.keep('earlier', set, [60])
  kept.fault = new Error('the database is away')
  equal((await one.ask(set, [1])).kind, 'unavailable')
  ok(
    one.troubles.some(reason => reason.includes('the database is away')),
    one.troubles.join(),
  )
  await one.admit(rates, [1])
  kept.fault = null
  deepEqual((await one.admit(set, [1])).states, [{ used: 61, waitUs: 0 }])
  deepEqual(one.reasons, [])
})

test('without Redis and without having seen a caller, its part begins with a part of what was used', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const set = limitSet([month(100)])
  kept.keep('earlier', set, [60])
  const one = await makeLimiter({ startsDown: true, assumedReplicas: 2 })
  await one.limiter.begin()
  deepEqual((await one.admit(set, [20])).states, [{ used: 50, waitUs: 0 }])
  equal((await one.ask(set, [1])).kind, 'denied')
})

test('nor is it let in by its part where nobody can say what was used, however long the replica has been there', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const one = await makeLimiter()
  kept.fault = new Error('the database is away')
  await one.cut()
  equal((await one.ask(limitSet([spendLimit({ size: 100 })]), [20])).kind, 'unavailable')
})

test('a process that counts for itself asks once, and many at once wait for the same answer', async () => {
  const kept = new KeptUse()
  const [set, other] = [limitSet([spendLimit({ size: 100 })]), limitSet([spendLimit({ size: 100 })])]
  kept.keep('earlier', set, [60])
  let questions = 0
  const limiter = new LoneLimiter({ onTrouble: reason => ok(false, reason) })
  limiter.seedFrom({
    whenStored: () => kept.whenStored(),
    usedBefore: question => {
      questions += 1
      return kept.usedBefore(question)
    },
  })
  const ask = (which: LimitSet) => limiter.reserve({ id: newId(), set: which, amounts: [1], failsClosed: false })
  const decisions = await Promise.all(Array.from({ length: 100 }, () => ask(set)))
  equal(decisions.filter(({ kind }) => kind === 'admitted').length, 40)
  equal(questions, 1)
  await ask(other)
  ok(!(ask(other) instanceof Promise), 'what is known is decided at once')
  await limiter.close()
})

test('what has ended after Redis was told of it again, and before it was seeded, counts once', async t => {
  const { makeLimiter, direct } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([month(100)])
  const { hold } = await one.admit(set, [30])
  const rest = await one.admit(set, [10])
  await direct.flushdb()
  const store = new RedisLimits(direct)
  await eventually('Redis to be told', async () => (await store.findRunning(set, Date.now() * 1000)).length === 2)
  hold.settle([20])
  await one.told()
  deepEqual((await one.admit(set, [1])).states, [{ used: 31, waitUs: 0 }])
  rest.hold.settle([0])
  await one.told()
  deepEqual((await one.admit(set, [1])).states, [{ used: 22, waitUs: 0 }])
})

test('while the ledger is away a new day begins with nothing for whoever had the limit the day before, and for nobody else', async () => {
  const kept = new KeptUse()
  const seeded: (readonly number[])[] = []
  const seeding = new Seeding({
    store: { seed: (_set, used) => void seeded.push(used) },
    findSinceUs: async () => 0,
    whenComplete: async () => undefined,
    uncounted: new UncountedRequests(() => undefined),
    beforeSeed: async () => undefined,
    findRunning: async () => [],
    onTrouble: () => undefined,
  })
  seeding.use(kept)
  const at = (time: string) => Date.parse(time) * 1000
  const [old, fresh] = [limitSet([spendLimit()]), limitSet([spendLimit()])]
  const both = limitSet([spendLimit(), month(100)])
  kept.keep('earlier', old, [60])
  for (const set of [old, both]) ok(await seeding.hasSeeded(set, at('2026-11-29T12:00:00Z')))
  kept.fault = new Error('the database is away')
  ok(await seeding.hasSeeded(old, at('2026-11-30T00:00:01Z')))
  // Since the middle of the month there has been no other ask.
  ok(await seeding.hasSeeded(both, at('2026-11-30T00:00:01Z')))
  ok(!(await seeding.hasSeeded(fresh, at('2026-11-30T00:00:01Z'))))
  ok(!(await seeding.hasSeeded(old, at('2026-12-02T00:00:01Z'))))
  deepEqual(seeded, [[60], [0, 0], [0], [0, 0]])
})
