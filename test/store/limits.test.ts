import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { RedisLimits } from '../../src/store/limits.ts'
import { admitted, type MakeStore, newId, testConformance, usedOf } from '../support/limit-conformance.ts'
import { connect } from '../support/limit-redis.ts'
import { fixedRate, flightLimit, limitSet, periodLimit, rateLimit } from '../support/limit-sets.ts'
import { testSettling } from '../support/limit-settling.ts'
import { startRedis } from '../support/redis-server.ts'
import { seeded } from '../support/seeded-store.ts'
import { createRedisDatabase } from '../support/services.ts'

const makeStore: MakeStore = async (t, options) =>
  seeded(new RedisLimits(await connect(t, await createRedisDatabase(t)), { patienceMs: 5000, ...options }))

testConformance('in Redis', makeStore)
testSettling('in Redis', makeStore)

const mixed = () =>
  limitSet([fixedRate(100), periodLimit(100), flightLimit(5), fixedRate(50, { of: 'key' })], { keyId: 'k' })

/** A server of the test's own, the store on it, and a client to meddle with. */
async function ownServer(t: TestContext, { commandTimeout = 5000 } = {}) {
  const server = await startRedis(t)
  const client = await connect(t, server.url, commandTimeout)
  const admin = await connect(t, server.url)
  return { server, client, admin, store: seeded(new RedisLimits(client, { patienceMs: commandTimeout })) }
}

test('L10: a script that Redis has forgotten is brought again', async t => {
  const { store, admin } = await ownServer(t)
  const set = mixed()
  const first = admitted(await store.reserve(newId(), set, [60, 60, 1, 10]))
  await admin.script('FLUSH')
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => store.reserve(newId(), set, [20, 20, 1, 10])))
  assert.equal(verdicts.filter(({ kind }) => kind === 'admitted').length, 2)
  await admin.script('FLUSH')
  await store.settle(first, [0, 0, 0, 0])
  await admin.script('FLUSH')
  assert.deepEqual(await usedOf(store, set), [40, 40, 2, 20])
})

test('L10: correct limits for a user who may not use SCRIPT', async t => {
  const { server, admin } = await ownServer(t)
  await admin.acl('SETUSER', 'weir', 'on', '>secret', '~weir:*', '+@all', '-script')
  const client = await connect(t, server.url.replace('redis://', 'redis://weir:secret@'))
  await assert.rejects(client.script('LOAD', 'return 1'), /NOPERM/)
  const store = seeded(new RedisLimits(client))
  const set = mixed()
  const first = admitted(await store.reserve(newId(), set, [60, 60, 1, 10]))
  assert.equal((await store.reserve(newId(), set, [60, 60, 1, 10])).kind, 'denied')
  await store.settle(first, [10, 10, 1, 1])
  assert.deepEqual(await usedOf(store, set), [10, 10, 0, 1])
})

test('a reservation that Redis gets to only after its caller has given up changes nothing', async t => {
  const { store, client, admin } = await ownServer(t, { commandTimeout: 50 })
  const set = mixed()
  admitted(await store.reserve(newId(), set, [10, 10, 1, 1]))
  const calls = async () => /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]
  const [before, executed] = [await usedOf(store, set), Number(await calls())]
  // Everything is held back, and runs when the pause is over.
  await admin.client('PAUSE', 300, 'ALL')
  const tried = Array.from({ length: 50 }, () => store.reserve(newId(), set, [1, 1, 1, 1]))
  const outcomes = await Promise.allSettled(tried)
  assert.ok(outcomes.every(({ status }) => status === 'rejected'))
  await admin.ping()
  client.disconnect()
  assert.equal(Number(await calls()), executed + 50, 'Redis did run them')
  assert.deepEqual(await usedOf(seeded(new RedisLimits(admin)), set), before)
})

test('what a reservation took whose answer was lost is given back', async t => {
  const { client, admin, store } = await ownServer(t)
  const set = mixed()
  admitted(await store.reserve(newId(), set, [10, 10, 1, 1]))
  const lost = newId()
  await store.reserve(lost, set, [20, 20, 1, 2])
  assert.deepEqual(await usedOf(store, set), [30, 30, 2, 3])
  await new RedisLimits(client).abandon(lost, set)
  assert.deepEqual(await usedOf(store, set), [10, 10, 1, 1])
  await store.abandon(lost, set)
  await store.abandon(newId(), set)
  assert.deepEqual(await usedOf(seeded(new RedisLimits(admin)), set), [10, 10, 1, 1])
})

test('after FLUSHALL what is renewed has its place again, and what is used of days and months is there with its seed', async t => {
  const { admin, client } = await ownServer(t)
  const [store, raw] = [seeded(new RedisLimits(client)), new RedisLimits(client)]
  const set = mixed()
  const [one, two, three] = [
    await store.reserve('one', set, [30, 30, 1, 5]),
    await store.reserve('two-moved', set, [9, 9, 1, 9]),
    await store.reserve('three', set, [4, 4, 1, 4]),
  ]
  await admin.flushall()
  await raw.renew([admitted(one), admitted(two)])
  assert.equal(await raw.look(set), null)
  const { kind, atUs } = await raw.reserve('four', set, [1, 1, 1, 1])
  assert.equal(kind, 'unseeded')
  await raw.settle(admitted(two), [7, 7, 1, 7])
  // Redis was not told of the third, nor is what is charged now counted: the ledger has both.
  await raw.settle(admitted(three), [1, 1, 1, 1])
  await raw.charge(newId(), set, [2, 2, 0, 2])
  assert.deepEqual(new Set(await raw.findRunning(set, atUs)), new Set(['one', 'two-moved']))
  await raw.seed(set, [0, 50, 0, 0], atUs)
  await raw.seed(set, [0, 5000, 0, 0], atUs)
  assert.deepEqual(await raw.findRunning(set, atUs), [])
  assert.deepEqual(await usedOf(store, set), [9, 87, 1, 9])
  await raw.settle(admitted(one), [12, 12, 1, 2])
  assert.deepEqual(await usedOf(store, set), [21, 69, 0, 11])
})

test('a seed for a day that is over changes nothing', async t => {
  const store = new RedisLimits(await connect(t, await createRedisDatabase(t)))
  const set = limitSet([periodLimit(100, { name: 'spend_per_day', period: 'day' })])
  const { atUs } = await store.reserve(newId(), set, [1])
  await store.seed(set, [50], atUs - 86_400_000_000)
  assert.equal(await store.look(set), null)
})

test('a clock that is an hour wrong here is put right by the first answer, and a reservation is admitted all the same', async t => {
  const { client } = await ownServer(t)
  const behind = new Proxy(client, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      return name === 'time' ? async () => [(Date.now() / 1000 - 3600).toFixed(0), '0'] : member
    },
  })
  const set = mixed()
  admitted(await seeded(new RedisLimits(behind)).reserve(newId(), set, [1, 1, 1, 1]))
  assert.deepEqual(await usedOf(seeded(new RedisLimits(behind)), set), [1, 1, 1, 1])
})

test('L14: after Redis’ clock went back an hour nobody is locked out', async t => {
  const { client, store } = await ownServer(t)
  const set = limitSet([rateLimit(60), flightLimit(1)])
  admitted(await store.reserve(newId(), set, [60, 1]))
  // The same as a clock that goes back: what was written bears a time that is an hour ahead.
  const ahead = `local bucket = cmsgpack.unpack(redis.call('GET', KEYS[1]))
    bucket[2] = bucket[2] + 3600000000
    bucket[3] = bucket[3] + 3600000000
    redis.call('SET', KEYS[1], cmsgpack.pack(bucket))
    redis.call('ZADD', KEYS[2], 'INCR', 3600000000, redis.call('ZRANGE', KEYS[2], 0, 0)[1])`
  const prefix = `weir:{${set.accountId}}:limit:`
  await client.eval(ahead, 2, `${prefix}tokens_per_minute`, `${prefix}requests_in_flight`)
  const denied = await store.reserve(newId(), set, [1, 1])
  assert.deepEqual(denied.states, [
    { used: 60, waitUs: 1_000_000 },
    { used: 0, waitUs: 0 },
  ])
  // From then on it drains by the clock that there is.
  const later = await store.reserve(newId(), set, [1, 1])
  assert.equal(later.states[0]?.waitUs, 1_000_000 - (later.atUs - denied.atUs))
})

test('all keys of a call have the same hash tag, and none is kept without an end', async t => {
  const { client, store } = await ownServer(t)
  const seen: unknown[][] = []
  const monitor = await client.monitor()
  t.after(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, args: unknown[]) => seen.push(args))
  const set = mixed()
  const reservation = admitted(await store.reserve(newId(), set, [10, 10, 1, 10]))
  await store.renew([reservation])
  await store.charge(newId(), set, [1, 1, 1, 1])
  const kept = await client.keys('*')
  assert.equal(kept.length, 6)
  for (const key of kept) assert.ok((await client.pttl(key)) > 0, `${key} stays for ever`)
  await store.settle(reservation, [1, 1, 1, 1])
  await store.look(set)
  await client.ping()
  const calls = seen.filter(([name]) => /^eval/i.test(String(name)))
  assert.ok(calls.length >= 5)
  for (const [, , count, ...rest] of calls) {
    const keys = rest.slice(0, Number(count))
    assert.equal(keys.length, 5)
    for (const key of keys) assert.ok(String(key).startsWith(`weir:{${set.accountId}}:`), String(key))
  }
})

test('a Redis that cannot be asked is told by its own error', async t => {
  const { server, store } = await ownServer(t)
  const set = mixed()
  admitted(await store.reserve(newId(), set, [1, 1, 1, 1]))
  await server.kill()
  await assert.rejects(async () => store.reserve(newId(), set, [1, 1, 1, 1]), Error)
  await assert.rejects(async () => store.look(set), Error)
  const lonely = new Redis(server.url, { lazyConnect: true, enableOfflineQueue: false, retryStrategy: () => null })
  t.after(() => lonely.disconnect())
  lonely.on('error', () => undefined)
  await assert.rejects(async () => seeded(new RedisLimits(lonely)).look(set), Error)
})

test('a settlement that fails half-way gives back nothing twice', async t => {
  const client = await connect(t, await createRedisDatabase(t))
  const store = seeded(new RedisLimits(client))
  const set = limitSet([fixedRate(100), periodLimit(100)])
  await store.charge(newId(), set, [50, 50])
  const reservation = admitted(await store.reserve(newId(), set, [10, 10]))
  const [month = ''] = await client.keys(`weir:{${set.accountId}}:limit:spend_per_month:*`)
  await client.set(month, 'no number')
  await assert.rejects(store.settle(reservation, [1, 1]))
  for (let again = 0; again < 3; again += 1) await store.settle(reservation, [1, 1])
  assert.equal((await usedOf(store, limitSet([fixedRate(100)], { accountId: set.accountId })))[0], 51)
})

test('what is used is kept for as long as it takes to leak, also where a limit was lowered', async t => {
  const client = await connect(t, await createRedisDatabase(t))
  const store = seeded(new RedisLimits(client))
  const set = limitSet([rateLimit(7200)])
  admitted(await store.reserve(newId(), set, [7200]))
  const lowered = limitSet([rateLimit(6)], { accountId: set.accountId })
  assert.equal((await store.reserve(newId(), lowered, [1])).kind, 'denied')
  const [bucket = ''] = await client.keys(`weir:{${set.accountId}}:limit:*`)
  assert.ok((await client.pttl(bucket)) > 7190 * 10_000)
})

test('what was admitted elsewhere is held here without being refused, once', async t => {
  const store = seeded(new RedisLimits(await connect(t, await createRedisDatabase(t))))
  const set = limitSet([fixedRate(10), periodLimit(10), flightLimit(1)])
  const id = newId()
  await store.adopt(id, set, [15, 15, 1])
  await store.adopt(id, set, [15, 15, 1])
  assert.deepEqual(await usedOf(store, set), [15, 15, 1])
  await store.settle({ id, set, held: [15, 15, 1], atUs: Date.now() * 1000 }, [4, 4, 1])
  assert.deepEqual(await usedOf(store, set), [4, 4, 0])
})

test('a script is short enough to be read', () => {
  const lines = (name: string) =>
    readFileSync(new URL(`../../src/store/limit-scripts/${name}.lua`, import.meta.url), 'utf8').split('\n').length - 1
  for (const name of ['reserve', 'settle']) assert.ok(lines('counts') + lines(name) <= 150, name)
})
