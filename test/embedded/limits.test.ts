import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLimits } from '../../src/embedded/limits.ts'
import { admitted, type MakeStore, newId, testConformance } from '../support/limit-conformance.ts'
import { flightLimit, limitSet, periodLimit, rateLimit } from '../support/limit-sets.ts'
import { testSettling } from '../support/limit-settling.ts'
import { type Seeded, seeded } from '../support/seeded-store.ts'

const wallUs = () => Math.floor((performance.timeOrigin + performance.now()) * 1000)
const minuteUs = 60_000_000
const hourUs = 60 * minuteUs

const makeStore: MakeStore = async (_t, options) => seeded(new MemoryLimits({ nowUs: wallUs, ...options }))

testConformance('in the process', makeStore)
testSettling('in the process', makeStore)

function storeAt(text: string) {
  const clock = { us: Date.parse(text) * 1000 }
  return { clock, store: seeded(new MemoryLimits({ nowUs: () => clock.us })) }
}

test('L14: a clock that goes back an hour locks nobody out, and one that goes on gives a burst of the capacity', () => {
  const { clock, store } = storeAt('2026-11-24T12:00:00Z')
  const set = limitSet([rateLimit(60), flightLimit(2)])
  admitted(store.reserve(newId(), set, [60, 1]))
  admitted(store.reserve(newId(), set, [0, 1]))
  clock.us -= hourUs
  const denied = store.reserve(newId(), set, [1, 1])
  assert.deepEqual(denied.states, [
    { used: 60, waitUs: 1_000_000 },
    // Nobody can have taken a place so far ahead.
    { used: 0, waitUs: 0 },
  ])
  clock.us += 1_000_000
  admitted(store.reserve(newId(), set, [1, 1]))
  clock.us += hourUs
  admitted(store.reserve(newId(), set, [60, 1]))
  assert.equal(store.reserve(newId(), set, [1, 1]).kind, 'denied')
})

test('at midnight the day begins anew, and a settlement of yesterday stays there', () => {
  const { clock, store } = storeAt('2026-11-30T23:59:59Z')
  const day = periodLimit(100, { name: 'spend_per_day', period: 'day' })
  const set = limitSet([day, periodLimit(1000)])
  const late = admitted(store.reserve(newId(), set, [70, 70]))
  assert.deepEqual(store.reserve(newId(), set, [50, 50]).states, [
    { used: 70, waitUs: 1_000_000 },
    { used: 70, waitUs: 0 },
  ])
  clock.us += 1_000_000
  admitted(store.reserve(newId(), set, [90, 90]))
  store.settle(late, [10, 10])
  assert.deepEqual(usedNow(store, set), [90, 90])
  clock.us -= 1
  assert.deepEqual(usedNow(store, set), [10, 10])
})

const usedNow = (store: Seeded<MemoryLimits>, set: Parameters<MemoryLimits['look']>[0]) =>
  store.look(set).map(({ used }) => used)

/** It forgets every so many changes. */
function fillUntilSwept(store: Seeded<MemoryLimits>): void {
  const nothing = limitSet([])
  for (let change = 0; change < 50_000; change += 1) store.look(nothing)
}

test('what is empty, over or given up is forgotten', () => {
  const { clock, store } = storeAt('2026-11-24T12:00:00Z')
  for (let account = 0; account < 3000; account += 1) {
    const set = limitSet([rateLimit(60), flightLimit(2), periodLimit(9, { name: 'spend_per_day', period: 'day' })])
    store.charge(newId(), set, [1, 1, 1])
    admitted(store.reserve(newId(), set, [1, 1, 1]))
  }
  assert.equal(store.size, 3000 * (3 + 1 + 1))
  clock.us += 2 * hourUs
  fillUntilSwept(store)
  assert.ok(store.size < 3000 + 100, `${store.size} are kept, and days are all that should be`)
  clock.us += 3 * 24 * hourUs
  fillUntilSwept(store)
  assert.ok(store.size < 100, `${store.size} are kept`)
})

test('it forgets by itself as it goes: callers that came once do not add up', () => {
  const { clock, store } = storeAt('2026-11-24T12:00:00Z')
  for (let account = 0; account < 5000; account += 1) {
    clock.us += 100_000
    const set = limitSet([rateLimit(60)])
    store.settle(admitted(store.reserve(newId(), set, [1])), [1])
  }
  assert.ok(store.size < 1500, `${store.size} are kept`)
})

test('a seed is where a limit begins that is not known, and what is added here is told apart from it', () => {
  const { clock, store } = storeAt('2026-11-24T12:00:00Z')
  const set = limitSet([rateLimit(60), periodLimit(100), flightLimit(4)])
  store.seed(set, [30, 50, 3], clock.us)
  assert.deepEqual(usedNow(store, set), [30, 50, 0])
  const held = admitted(store.reserve(newId(), set, [20, 20, 1]))
  store.seed(set, [1, 1, 1], clock.us)
  assert.deepEqual(usedNow(store, set), [50, 70, 1])
  // Ten seconds drain ten of the thirty that were there before; then all of them, and five of its own.
  clock.us += 10_000_000
  store.settle(held, [15, 15, 1])
  assert.deepEqual(usedNow(store, set), [35, 65, 0])
  clock.us += 25_000_000
  assert.deepEqual(usedNow(store, set), [10, 65, 0])
  assert.deepEqual(store.takeOwn(set), [10, 15, 0])
  assert.deepEqual(store.takeOwn(set), [0, 0, 0])
})

test('what is under way is released to move to another store, but for what time has refilled', () => {
  const { clock, store } = storeAt('2026-11-24T12:00:00Z')
  const set = limitSet([rateLimit(60), periodLimit(100), flightLimit(4)])
  store.settle(admitted(store.reserve(newId(), set, [5, 5, 1])), [5, 5, 1])
  const held = admitted(store.reserve(newId(), set, [20, 20, 1]))
  clock.us += 10_000_000
  assert.deepEqual(store.release(held), [15, 20, 1])
  assert.deepEqual(store.release(held), [])
  assert.deepEqual(usedNow(store, set), [0, 5, 0])
})
