/** What every store of counts does. Rates without refill are used where it must not matter how long the test takes. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { periodAt } from '../../src/domain/calendar.ts'
import type { Limit, LimitSet } from '../../src/domain/limit.ts'
import type { Reservation, Verdict } from '../../src/domain/reservation.ts'
import { eventually } from './eventually.ts'
import { fixedRate, flightLimit, limitSet, periodLimit, rateLimit } from './limit-sets.ts'
import type { Seeded } from './seeded-store.ts'

export type MakeStore = (t: TestContext, options?: { leaseMs?: number }) => Promise<Seeded>

const never = Number.POSITIVE_INFINITY
let ids = 0

export const newId = () => {
  ids += 1
  return `request-${process.pid}-${ids}`
}

export function admitted(verdict: Verdict): Reservation {
  assert.equal(verdict.kind, 'admitted', JSON.stringify(verdict))
  return verdict.reservation
}

export async function usedOf(store: Pick<Seeded, 'look'>, set: LimitSet): Promise<readonly number[]> {
  return (await store.look(set)).map(({ used }) => used)
}

/** One of each kind, all full but for what is asked of the one at `full`, and nothing left there. */
function oneFull(full: number) {
  const room = (index: number) => (index === full ? 5 : 10)
  const limits: readonly Limit[] = [
    fixedRate(room(0), { name: 'requests_per_minute', unit: 'requests' }),
    fixedRate(room(1)),
    periodLimit(room(2), { name: 'tokens_per_month', unit: 'tokens' }),
    periodLimit(room(3), { name: 'spend_per_day', period: 'day' }),
    flightLimit(full === 4 ? 1 : 10),
    fixedRate(room(5), { of: 'key' }),
    periodLimit(room(6), { of: 'key' }),
    flightLimit(full === 7 ? 1 : 10, 'key'),
  ]
  return limitSet(limits, { keyId: `key-${full}` })
}

export function testConformance(name: string, makeStore: MakeStore): void {
  test(`${name}: a rate admits what there is room for, and tells used and wait`, async t => {
    const store = await makeStore(t)
    const set = limitSet([fixedRate(10)])
    const first = await store.reserve(newId(), set, [7])
    assert.deepEqual(admitted(first).held, [7])
    assert.deepEqual(first.states, [{ used: 7, waitUs: 0 }])
    const second = await store.reserve(newId(), set, [4])
    assert.equal(second.kind, 'denied')
    assert.deepEqual(second.states, [{ used: 7, waitUs: never }])
    admitted(await store.reserve(newId(), set, [3]))
    assert.deepEqual(await store.look(set), [{ used: 10, waitUs: 0 }])
    assert.equal((await store.reserve(newId(), set, [1])).kind, 'denied')
    admitted(await store.reserve(newId(), set, [0]))
  })

  test(`${name}: a rate refills evenly, and the wait is exact`, async t => {
    const store = await makeStore(t)
    const set = limitSet([rateLimit(60), rateLimit(6, { name: 'tokens_per_day', capacity: 60, periodMs: 86_400_000 })])
    const first = await store.reserve(newId(), set, [60, 60])
    admitted(first)
    const second = await store.reserve(newId(), set, [1, 2])
    const sinceUs = second.atUs - first.atUs
    assert.deepEqual(second.states, [
      { used: 60, waitUs: 1_000_000 - sinceUs },
      { used: 60, waitUs: (2 * 86_400_000_000) / 6 - sinceUs },
    ])
    const tooMuch = await store.reserve(newId(), set, [61, 1])
    assert.equal(tooMuch.states[0]?.waitUs, never)
  })

  test(`${name}: L01: never more, never less than the refill allows, whoever asks at once`, async t => {
    const store = await makeStore(t)
    // One more each millisecond, and so much room that it is never empty in between: then nothing is lost.
    const limit = rateLimit(60_000, { name: 'requests_per_minute', unit: 'requests', capacity: 1000 })
    const set = limitSet([limit])
    const first = await store.reserve(newId(), set, [1000])
    const verdicts: Verdict[] = []
    do {
      verdicts.push(...(await Promise.all(Array.from({ length: 200 }, () => store.reserve(newId(), set, [1])))))
    } while (verdicts.length < 1000 || verdicts.at(-1)?.kind === 'admitted')
    const count = verdicts.filter(({ kind }) => kind === 'admitted').length
    const elapsedUs = (verdicts.at(-1)?.atUs ?? 0) - first.atUs
    assert.equal(1000 + count, Math.floor(limit.capacity + (limit.size * elapsedUs) / 60_000_000))
  })

  test(`${name}: a calendar count holds until its period ends`, async t => {
    const store = await makeStore(t)
    const set = limitSet([periodLimit(10, { period: 'day', name: 'spend_per_day' }), periodLimit(1000)])
    const first = await store.reserve(newId(), set, [8, 8])
    admitted(first)
    const second = await store.reserve(newId(), set, [3, 3])
    assert.equal(second.kind, 'denied')
    assert.deepEqual(second.states, [
      { used: 8, waitUs: periodAt('day', second.atUs).untilUs - second.atUs },
      { used: 8, waitUs: 0 },
    ])
    const tooMuch = await store.reserve(newId(), set, [11, 1])
    assert.deepEqual(tooMuch.states[0], { used: 8, waitUs: never })
    await store.settle(admitted(first), [2, 20])
    assert.deepEqual(await usedOf(store, set), [2, 20])
  })

  test(`${name}: nine million dollars are counted to the nano-USD`, async t => {
    const store = await makeStore(t)
    const set = limitSet([periodLimit(9e15)])
    const first = admitted(await store.reserve(newId(), set, [9e15 - 1]))
    admitted(await store.reserve(newId(), set, [1]))
    assert.equal((await store.reserve(newId(), set, [1])).kind, 'denied')
    await store.settle(first, [8_765_432_109_876_543])
    assert.deepEqual(await usedOf(store, set), [8_765_432_109_876_544])
  })

  test(`${name}: a place in flight is had by one request, until it is settled`, async t => {
    const store = await makeStore(t)
    const set = limitSet([flightLimit(2)])
    const first = admitted(await store.reserve(newId(), set, [1]))
    admitted(await store.reserve(newId(), set, [7]))
    const denied = await store.reserve(newId(), set, [1])
    assert.deepEqual(denied.states, [{ used: 2, waitUs: never }])
    admitted(await store.reserve(newId(), set, [0]))
    await store.settle(first, [1])
    assert.deepEqual(await usedOf(store, set), [1])
    admitted(await store.reserve(newId(), set, [1]))
  })

  test(`${name}: a lease that nobody renews ends by itself`, async t => {
    const store = await makeStore(t, { leaseMs: 150 })
    const set = limitSet([flightLimit(2)])
    const dead = await store.reserve(newId(), set, [1])
    const alive = admitted(await store.reserve(newId(), set, [1]))
    const freed = await eventually('the place of the dead one is free', async () => {
      await store.renew([alive])
      const verdict = await store.reserve(newId(), set, [1])
      return verdict.kind === 'admitted' ? verdict : null
    })
    assert.ok((freed?.atUs ?? 0) - dead.atUs > 150_000, 'not before its lease was over')
    assert.deepEqual(await usedOf(store, set), [2])
  })

  test(`${name}: a key counts for itself and for its account`, async t => {
    const store = await makeStore(t)
    const shared = [fixedRate(10), periodLimit(10), flightLimit(10)]
    const own = [fixedRate(6, { of: 'key' }), periodLimit(6, { of: 'key' }), flightLimit(1, 'key')]
    const first = limitSet([...shared, ...own], { accountId: newId(), keyId: 'first' })
    const second = limitSet([...own, ...shared], { ...first, keyId: 'second', limits: [...own, ...shared] })
    admitted(await store.reserve(newId(), first, [6, 6, 1, 6, 6, 1]))
    assert.deepEqual(await usedOf(store, second), [0, 0, 0, 6, 6, 1])
    assert.equal((await store.reserve(newId(), second, [5, 5, 1, 5, 5, 1])).kind, 'denied')
    admitted(await store.reserve(newId(), second, [4, 4, 1, 4, 4, 1]))
    assert.deepEqual(await usedOf(store, first), [10, 10, 2, 6, 6, 1])
    assert.deepEqual(await usedOf(store, { ...first, accountId: newId() }), [0, 0, 0, 0, 0, 0])
  })

  test(`${name}: L04: where one limit denies, whichever it is, nothing else has changed`, async t => {
    const store = await makeStore(t)
    for (const full of oneFull(0).limits.keys()) {
      const set = oneFull(full)
      const all = set.limits.map(() => 5)
      const held = admitted(await store.reserve(newId(), set, all))
      const before = await store.look(set)
      const id = newId()
      const verdict = await store.reserve(id, set, all)
      assert.equal(verdict.kind, 'denied')
      const waiting = verdict.states.flatMap(({ waitUs }, index) => (waitUs > 0 ? [index] : []))
      assert.deepEqual(waiting, [full])
      assert.deepEqual(await store.look(set), before)
      // Nothing is held for it either.
      await store.settle(
        { id, set, held: all, atUs: verdict.atUs },
        all.map(() => 0),
      )
      assert.deepEqual(await store.look(set), before)
      await store.settle(
        held,
        all.map(() => 0),
      )
      admitted(await store.reserve(newId(), set, all))
    }
  })

  test(`${name}: without limits all is admitted`, async t => {
    const store = await makeStore(t)
    const set = limitSet([])
    const verdict = await store.reserve(newId(), set, [])
    await store.settle(admitted(verdict), [])
    assert.deepEqual(await store.look(set), [])
  })
}
