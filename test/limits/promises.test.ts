import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { LimitSet } from '../../src/domain/limit.ts'
import { flight, limitSet, quota, rate, spendLimit } from '../support/limit-sets.ts'
import { startSharedWorld, type Watched } from '../support/shared-limiter.ts'

/** Nothing of it is refilled, so what is used can be told exactly whatever the time that a test takes. */
const total = (capacity: number) => rate({ size: 0, capacity })

/** Longer than Redis is trusted to be silent, and shorter than it takes to be lost. */
const silent = ({ proxy }: Watched) => proxy.latency(110, 0, 'to-server')

test('while Redis is silent who fits for certain is admitted in advance, and counts there once', async t => {
  const { makeLimiter, used, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), quota({ size: 100 }), flight(4)])
  ;(await one.admit(set, [10, 10, 1])).hold.settle([10, 10, 1])
  await becomesUsed(set, [10, 10, 0])
  silent(one)
  const [first, second] = await Promise.all([one.admit(set, [20, 20, 1]), one.admit(set, [5, 5, 1])])
  deepEqual(await used(set), [10, 10, 0], 'Redis has not heard of it')
  deepEqual([first.set, second.set], [set, set])
  deepEqual(
    second.states.map(state => state.used),
    [35, 35, 3],
  )
  // One is over before Redis has said anything, the other one is not.
  first.hold.settle([7, 7, 1])
  await becomesUsed(set, [22, 22, 1])
  second.hold.settle([6, 6, 1])
  await becomesUsed(set, [23, 23, 0])
  deepEqual(one.reasons, [])
})

test('who is near a limit waits for what Redis says', async t => {
  const { makeLimiter, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(10)])
  await one.admit(set, [8])
  silent(one)
  const asked = [one.ask(set, [1]), one.ask(set, [1]), one.ask(set, [1])]
  await Promise.all(asked.slice(0, 2))
  deepEqual(await used(set), [8], 'two of them fit: Redis will take them first')
  const decisions = await Promise.all(asked)
  deepEqual(
    decisions.map(({ kind }) => kind),
    ['admitted', 'admitted', 'denied'],
  )
  deepEqual(await used(set), [10])
})

test('money is never promised, however much of it is left', async t => {
  const { makeLimiter, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  const [money, tokens] = [limitSet([spendLimit({ size: 1_000_000 })]), limitSet([quota({ size: 1_000_000 })])]
  for (const set of [money, tokens]) await one.admit(set, [10])
  silent(one)
  const asked = one.ask(money, [1])
  await one.admit(tokens, [1])
  deepEqual(await used(tokens), [10], 'Redis has not heard of it')
  equal((await asked).kind, 'admitted')
  deepEqual(await used(money), [11], 'Redis has')
})

test('where several replicas ask at the same time, what all of them have asked for must fit', async t => {
  const { makeLimiter, used, becomesUsed } = await startSharedWorld(t)
  const [one, other] = [await makeLimiter(), await makeLimiter()]
  await one.limiter.begin()
  const [small, large] = [limitSet([total(12)]), limitSet([total(36)])]
  for (const set of [small, large]) await Promise.all([one.admit(set, [0]), other.admit(set, [0])])
  for (const replica of [one, other]) silent(replica)
  const askFor = (set: LimitSet) => [one, other].flatMap(({ ask }) => Array.from({ length: 12 }, () => ask(set, [1])))
  const [ofSmall, ofLarge] = [askFor(small), askFor(large)]
  // 12 of its own, and of the other one twice as many.
  await Promise.all(ofLarge)
  deepEqual([await used(small), await used(large)], [[0], [0]])
  const kinds = (await Promise.all(ofSmall)).map(({ kind }) => kind)
  equal(kinds.filter(kind => kind === 'admitted').length, 12)
  await becomesUsed(small, [12])
  await becomesUsed(large, [24])
})

test('keys of one account are promised together what the account has', async t => {
  const { makeLimiter, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  const accountId = 'of many keys'
  const sets = ['a', 'b', 'c', 'd'].map(keyId => limitSet([total(100)], { accountId, keyId }))
  for (const set of sets) await one.admit(set, [0])
  silent(one)
  const asked = sets.flatMap(set => Array.from({ length: 50 }, () => one.ask(set, [1])))
  const kinds = (await Promise.all(asked)).map(({ kind }) => kind)
  equal(kinds.filter(kind => kind === 'admitted').length, 100)
  deepEqual(await used(sets[0] ?? limitSet([])), [100])
})

test('of a caller who was never seen nothing is certain, and a tier that fails closed wants certainty', async t => {
  const { makeLimiter, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  const [unknown, known] = [limitSet([total(100)]), limitSet([total(100)])]
  await one.admit(known, [1])
  silent(one)
  const asked = [one.ask(unknown, [1]), one.ask(known, [1], { failsClosed: true })]
  deepEqual(
    (await Promise.all(asked)).map(({ kind }) => kind),
    ['admitted', 'admitted'],
  )
  deepEqual([await used(unknown), await used(known)], [[1], [2]], 'Redis has said so')
})

test('what was promised and does not fit counts all the same', async t => {
  const { makeLimiter, direct, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(10), flight(9)])
  ;(await one.admit(set, [0, 0])).hold.settle([0, 0])
  // Ready before: Redis hears of what is promised in a moment.
  const other = await makeLimiter()
  await other.limiter.begin()
  silent(one)
  const { hold } = await one.admit(set, [4, 1])
  // More than anybody could foresee.
  const taken = await other.admit(set, [8, 1])
  await becomesUsed(set, [12, 2])
  hold.settle([3, 1])
  await becomesUsed(set, [11, 1])
  taken.hold.settle([1, 1])
  await becomesUsed(set, [4, 0])
  deepEqual(await direct.keys(`weir:{${set.accountId}}:hold:*`), [])
})

test('what was promised is this replica’s own where Redis is lost, and is charged when it is back', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), flight(9)])
  ;(await one.admit(set, [10, 1])).hold.settle([10, 1])
  await becomesUsed(set, [10, 0])
  one.proxy.blackhole()
  const [over, running] = await Promise.all([one.admit(set, [20, 1]), one.admit(set, [30, 1])])
  equal(one.limiter.isLocal, false)
  over.hold.settle([5, 1])
  await one.becomes('local')
  const look = await one.limiter.look(set)
  ok(look.isLocal)
  deepEqual(
    look.states.map(state => state?.used),
    [45, 1],
  )
  await one.heal()
  await becomesUsed(set, [45, 1])
  running.hold.settle([2, 1])
  await becomesUsed(set, [17, 0])
})
