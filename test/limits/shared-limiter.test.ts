import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { flight, limitSet, quota, rate } from '../support/limit-sets.ts'
import { signIn } from '../support/redis-admin.ts'
import { startRedis } from '../support/redis-server.ts'
import { startSharedWorld } from '../support/shared-limiter.ts'

/** Nothing of it is refilled, so what is used can be told exactly whatever the time that a test takes. */
const total = (capacity: number) => rate({ size: 0, capacity })

/** Answers that come this late are not waited for. */
const tooLateMs = 400

test('until Redis has been reached it keeps to the smallest part for the assumed replicas, and then tells what was used', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter({ startsDown: true, assumedReplicas: 4 })
  await one.limiter.begin()
  equal(one.limiter.isLocal, true)
  const set = limitSet([total(11)])
  // 11 by 4 is 3, 3, 3, 2: the last gets the least.
  equal((await one.ask(set, [3])).kind, 'denied')
  const decision = one.ask(set, [2])
  ok(!(decision instanceof Promise), 'nobody waits for what was never there')
  ok(decision.kind === 'admitted')
  decision.hold.settle([1])
  await one.heal()
  await one.told()
  await becomesUsed(set, [1])
})

test('a reservation whose answer does not come is admitted here and given back there', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), flight()])
  one.proxy.latency(tooLateMs)
  const { hold, set: part, states } = await one.admit(set, [10, 1])
  notEqual(part, set)
  // It counts in one place only: here.
  deepEqual(states[0]?.used, 10)
  await one.mend()
  hold.settle([4, 1])
  await one.told()
  await becomesUsed(set, [4, 0])
  deepEqual(one.reasons, ['Redis has not answered for 200 ms'])
})

test('the same where giving it back does not arrive at first', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), flight()])
  one.proxy.latency(tooLateMs)
  const admitted = one.admit(set, [10, 1])
  await becomesUsed(set, [10, 1])
  one.proxy.blackhole()
  const { hold } = await admitted
  hold.settle([4, 1])
  await one.mend(true)
  await one.told()
  await becomesUsed(set, [4, 0])
})

test('whoever only looks does not wait for a silent Redis', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100)])
  await one.admit(set, [7])
  one.proxy.blackhole()
  const { isLocal, states } = await one.limiter.look(set)
  deepEqual([isLocal, states[0]?.used, one.reasons], [true, 7, []])
})

test('a look at a silent Redis is not what this replica’s part begins with later', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100)])
  await one.admit(set, [7])
  one.proxy.latency(100, 0, 'to-client')
  equal((await one.limiter.look(set)).isLocal, true)
  await one.mend()
  await one.admit(set, [10])
  await one.cut()
  deepEqual((await one.admit(set, [1])).states, [{ used: 18, waitUs: 0 }])
})

test('a suspicion ends with the outage that it began', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100)])
  await one.admit(set, [1])
  one.proxy.blackhole()
  await one.admit(set, [1])
  await one.becomes('local')
  await one.heal()
  await eventually('the suspicion to be over', () => one.suspicions.at(-1) === false)
  deepEqual(one.suspicions, [true, false])
})

test('what is wrong with the counts of one account is that account’s trouble', async t => {
  const { makeLimiter, direct } = await startSharedWorld(t)
  const one = await makeLimiter()
  const [bad, good] = [limitSet([total(100)]), limitSet([total(100)])]
  await direct.lpush(`weir:{${bad.accountId}}:limit:requests_per_minute`, 'of another type')
  for (let times = 0; times < 10; times += 1) deepEqual(await one.ask(bad, [1]), { kind: 'unavailable' })
  // With nobody in between whose counts are right.
  for (let times = 0; times < 10; times += 1) await one.limiter.look(bad)
  equal((await one.admit(good, [1])).set, good)
  deepEqual(one.reasons, [])
  equal(one.troubles.length, 1)
})

test('a Redis whose user may not do all that limits need is not counted in', async t => {
  const { url } = await startRedis(t)
  const { makeLimiter } = await startSharedWorld(t, url)
  const admin = await signIn(t, url)
  const one = await makeLimiter()
  for (const command of ['hincrby', 'del']) {
    await admin.call('ACL', 'SETUSER', 'default', `-${command}`)
    await one.becomes('local')
    await admin.call('ACL', 'SETUSER', 'default', '+@all')
    await one.becomes('shared')
  }
})

test('once it is lost nobody waits any more', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100)])
  one.proxy.blackhole()
  await Promise.all([one.admit(set, [1]), one.admit(set, [1])])
  await one.becomes('local')
  equal(one.limiter.isLocal, true)
  equal(one.reasons.length, 1)
  ok(!(one.ask(set, [1]) instanceof Promise))
  equal((await one.limiter.look(set)).isLocal, true)
})

test('each replica keeps to a part, and all parts are the whole', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const replicas = [await makeLimiter(), await makeLimiter(), await makeLimiter()]
  // Who came first learns of the others at the next beat.
  for (const { limiter } of replicas) await limiter.begin()
  await Promise.all(replicas.map(replica => replica.cut()))
  for (const size of [0, 1, 2, 7, 30]) {
    const set = limitSet([total(size), quota({ size })])
    const parts: number[] = []
    for (const { ask } of replicas) {
      let admitted = 0
      while (admitted <= size && (await ask(set, [1, 1])).kind === 'admitted') admitted++
      parts.push(admitted)
    }
    equal(
      parts.reduce((sum, part) => sum + part, 0),
      size,
    )
    ok(Math.max(...parts) - Math.min(...parts) <= 1, parts.join())
  }
})

test('what was known to be used when Redis went is not free again', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(10), quota({ size: 10 })])
  await one.admit(set, [7, 6])
  await one.cut()
  equal((await one.ask(set, [4, 1])).kind, 'denied')
  equal((await one.ask(set, [1, 5])).kind, 'denied')
  const { states } = await one.admit(set, [3, 4])
  deepEqual(
    states.map(({ used }) => used),
    [10, 10],
  )
})

test('a denial is remembered, until something is given back', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([rate({ size: 1, capacity: 10 })])
  const { hold } = await one.admit(set, [10])
  const asked = one.ask(set, [1])
  ok(asked instanceof Promise)
  const denied = await asked
  ok(denied.kind === 'denied' && !denied.isLocal)
  const again = one.ask(set, [1])
  ok(!(again instanceof Promise) && again.kind === 'denied')
  ok((again.states[0]?.waitUs ?? 0) <= (denied.states[0]?.waitUs ?? 0))
  hold.settle([9])
  await becomesUsed(set, [9])
  await one.admit(set, [1])
})

test('of those who ask at once when a denial has to be asked about again, one does', async t => {
  const { makeLimiter } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(1)])
  await one.admit(set, [1])
  equal((await one.ask(set, [1])).kind, 'denied')
  await eventually('the denial to be old', () => one.ask(set, [1]) instanceof Promise)
  const asked = Array.from({ length: 50 }, () => one.ask(set, [1])).filter(decision => decision instanceof Promise)
  deepEqual(asked, [])
})

test('whose tier wants limits kept is not admitted while they cannot be', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(10)])
  equal((await one.ask(set, [1], { failsClosed: true })).kind, 'admitted')
  one.proxy.latency(tooLateMs)
  deepEqual(await one.ask(set, [1], { failsClosed: true }), { kind: 'unavailable' })
  await one.cut()
  deepEqual(one.ask(set, [1], { failsClosed: true }), { kind: 'unavailable' })
  await one.heal()
  equal((await one.ask(set, [1], { failsClosed: true })).kind, 'admitted')
  await one.told()
  await becomesUsed(set, [2])
})

test('closing sends what waits, and takes its place back', async t => {
  const { makeLimiter, used, direct } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), flight()])
  const { hold } = await one.admit(set, [10, 1])
  const last = await one.admit(set, [5, 1])
  one.proxy.latency(tooLateMs)
  const alone = await one.admit(set, [20, 1])
  alone.hold.settle([2, 1])
  one.proxy.blackhole()
  hold.settle([3, 1])
  await eventually('the settlement to fail', () => one.limiter.look(set).then(({ isLocal }) => isLocal))
  await one.mend(true)
  await eventually('it to be in contact', () => one.limiter.begin().then(() => !one.limiter.isLocal))
  last.hold.settle([4, 1])
  await one.limiter.close()
  deepEqual(await used(set), [9, 0])
  equal(await direct.zcard('weir:{replicas}'), 0)
})
