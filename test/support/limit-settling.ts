/** What every store of counts does after the reservation. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitted, type MakeStore, newId, usedOf } from './limit-conformance.ts'
import { fixedRate, flightLimit, limitSet, periodLimit } from './limit-sets.ts'

export function testSettling(name: string, makeStore: MakeStore): void {
  test(`${name}: settling puts what was used in the place of what was held, once`, async t => {
    const store = await makeStore(t)
    const set = limitSet([fixedRate(100), periodLimit(100), flightLimit(5)])
    const [one, two] = [await store.reserve(newId(), set, [30, 30, 1]), await store.reserve(newId(), set, [20, 20, 1])]
    await store.settle(admitted(one), [10, 10, 1])
    assert.deepEqual(await usedOf(store, set), [30, 30, 1])
    await store.settle(admitted(one), [0, 0, 1])
    assert.deepEqual(await usedOf(store, set), [30, 30, 1])
    await store.settle(admitted(two), [140, 140, 1])
    assert.deepEqual(await usedOf(store, set), [150, 150, 0])
    assert.equal((await store.reserve(newId(), set, [1, 1, 1])).kind, 'denied')
  })

  test(`${name}: settling what was never reserved changes nothing`, async t => {
    const store = await makeStore(t)
    const set = limitSet([fixedRate(100), periodLimit(100), flightLimit(5)])
    const { atUs } = await store.reserve(newId(), set, [30, 30, 1])
    await store.settle({ id: newId(), set, held: [30, 30, 1], atUs }, [10, 90, 1])
    assert.deepEqual(await usedOf(store, set), [30, 30, 1])
  })

  test(`${name}: a charge is added whatever there is room for, once for its id`, async t => {
    const store = await makeStore(t)
    const set = limitSet([fixedRate(10), periodLimit(10), flightLimit(1)])
    const id = newId()
    await store.charge(id, set, [15, 15, 1])
    await store.charge(id, set, [15, 15, 1])
    assert.deepEqual(await usedOf(store, set), [15, 15, 0])
    // What was charged cannot be settled.
    await store.settle(
      { id, set, held: [15, 15, 1], atUs: (await store.reserve(newId(), set, [1, 1, 1])).atUs },
      [0, 0, 1],
    )
    assert.deepEqual(await usedOf(store, set), [15, 15, 0])
  })

  test(`${name}: a charge without an id is added each time`, async t => {
    const store = await makeStore(t)
    const set = limitSet([periodLimit(10)])
    await store.charge(null, set, [15])
    await store.charge(null, set, [15])
    assert.deepEqual(await usedOf(store, set), [30])
  })

  test(`${name}: what is renewed and not known is taken over: of rates its use when it is settled, all else at once`, async t => {
    const store = await makeStore(t)
    const set = limitSet([fixedRate(100), periodLimit(100), flightLimit(1)])
    const { atUs } = await store.reserve(newId(), set, [40, 40, 1])
    const stranger = { id: newId(), set, held: [30, 30, 1], atUs }
    await store.renew([stranger])
    assert.deepEqual(await usedOf(store, set), [40, 70, 2])
    await store.settle(stranger, [10, 10, 1])
    assert.deepEqual(await usedOf(store, set), [50, 50, 1])
    await store.settle(stranger, [10, 10, 1])
    assert.deepEqual(await usedOf(store, set), [50, 50, 1])
  })

  test(`${name}: a settlement goes to the day that the request began in`, async t => {
    const store = await makeStore(t)
    const set = limitSet([periodLimit(100, { name: 'spend_per_day', period: 'day' })])
    const { atUs } = await store.reserve(newId(), set, [40])
    const yesterday = { id: newId(), set, held: [30], atUs: atUs - 86_400_000_000 }
    await store.renew([yesterday])
    await store.settle(yesterday, [30])
    assert.deepEqual(await usedOf(store, set), [40])
  })
}
