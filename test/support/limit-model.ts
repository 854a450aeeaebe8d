import assert from 'node:assert/strict'
import fc from 'fast-check'
import { periodAt } from '../../src/domain/calendar.ts'
import { amountFor, type LimitSet } from '../../src/domain/limit.ts'
import type { LimitStore, Reservation } from '../../src/domain/reservation.ts'
import { makeOracle, type OracleHold } from './limit-oracle.ts'
import { flightLimit, limitSet, periodLimit, rateLimit } from './limit-sets.ts'

/** What is under test, and its clock. */
export interface ModelledStore {
  readonly store: LimitStore
  readonly leaseMs: number
  /** The clock that the last call went by. */
  lastUs(): number
  wait(us: number): Promise<void>
}

export type ModelStep =
  | { do: 'reserve'; who: number; tokens: number; nanoUsd: number; requests: number }
  | { do: 'settle'; which: number; percent: number }
  | { do: 'settle again' }
  | { do: 'renew'; which: number }
  | { do: 'charge'; who: number; tokens: number; isRepeated: boolean }
  | { do: 'look'; who: number }
  | { do: 'wait'; us: number }

const is = <Name extends string>(name: Name) => fc.constant(name)
const who = fc.nat(2)
const which = fc.nat(20)

/** Few enough that no mark is dropped, so that all can be said exactly. */
const maxReservations = 16

export const modelSteps = (maxWaitUs: number): fc.Arbitrary<ModelStep[]> =>
  fc.array(
    fc.oneof<fc.WeightedArbitrary<ModelStep>[]>(
      {
        weight: 8,
        arbitrary: fc.record({
          do: is('reserve'),
          who,
          tokens: fc.integer({ min: 0, max: 14 }),
          nanoUsd: fc.integer({ min: 0, max: 1e15 }),
          requests: fc.constantFrom(1, 1, 1, 0, 2),
        }),
      },
      { weight: 6, arbitrary: fc.record({ do: is('settle'), which, percent: fc.integer({ min: 0, max: 150 }) }) },
      { weight: 1, arbitrary: fc.record({ do: is('settle again') }) },
      { weight: 2, arbitrary: fc.record({ do: is('renew'), which }) },
      { weight: 1, arbitrary: fc.record({ do: is('charge'), who, tokens: fc.nat(4), isRepeated: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: is('look'), who }) },
      { weight: 4, arbitrary: fc.record({ do: is('wait'), us: fc.integer({ min: 0, max: maxWaitUs }) }) },
    ),
    { maxLength: 40, size: 'max' },
  )

/** Three callers of one account: one without a key, and two keys with limits of their own. */
function callers(accountId: string): readonly LimitSet[] {
  const shared = [
    rateLimit(200_000, { name: 'requests_per_minute', unit: 'requests', capacity: 6 }),
    rateLimit(720_000, { capacity: 40 }),
    periodLimit(120, { name: 'tokens_per_month', unit: 'tokens' }),
    // Half as much again, when all use more than they reserved, is still below 2^53.
    periodLimit(6e15, { name: 'spend_per_day', period: 'day' }),
    flightLimit(5),
  ]
  const ofKey = [rateLimit(500_000, { of: 'key', capacity: 25 }), flightLimit(3, 'key')]
  return [
    limitSet(shared, { accountId }),
    limitSet([...shared, ...ofKey], { accountId, keyId: 'first' }),
    limitSet([...ofKey, ...shared], { accountId, keyId: 'second' }),
  ]
}

interface Open {
  reservation: Reservation
  holds: readonly OracleHold[]
}

let accounts = 0

/** L02: runs the steps on the store and on a brute-force oracle, and compares every answer. */
export async function runModel(steps: readonly ModelStep[], { store, leaseMs, lastUs, wait }: ModelledStore) {
  accounts += 1
  const accountId = `model-${accounts}`
  const sets = callers(accountId)
  // Nobody waits for midnight here: see the tests of calendar counts for that.
  const oracle = makeOracle({ leaseMs, untilUs: period => periodAt(period, lastUs()).untilUs })
  const setOf = (index: number) => sets[index] ?? assert.fail()
  const open: Open[] = []
  let settled: Reservation | undefined
  let reservations = 0
  const nothing = (set: LimitSet) => set.limits.map(() => 0)
  const expected = (set: LimitSet, amounts: readonly number[]) =>
    oracle.countsOf(set).map((count, index) => count.stateAt(lastUs(), amounts[index] ?? 0))

  async function reserve(step: ModelStep & { do: 'reserve' }) {
    const set = setOf(step.who)
    const amounts = set.limits.map(limit => amountFor(limit, step))
    const verdict = await store.reserve(`${accountId}-${reservations}`, set, amounts)
    assert.equal(verdict.atUs, lastUs())
    const states = expected(set, amounts)
    const fits = states.every(({ waitUs }) => waitUs === 0)
    assert.equal(verdict.kind, fits ? 'admitted' : 'denied')
    if (verdict.kind === 'denied') return assert.deepEqual(verdict.states, states)
    reservations += 1
    const holds = oracle.countsOf(set).map((count, index) => count.take(lastUs(), amounts[index] ?? 0))
    const after = expected(set, nothing(set)).map(({ used }) => ({ used, waitUs: 0 }))
    assert.deepEqual(verdict.states, after)
    open.push({ reservation: verdict.reservation, holds })
  }

  async function settle(step: ModelStep & { do: 'settle' }) {
    const [one] = open.splice(step.which % Math.max(1, open.length), 1)
    if (one === undefined) return
    const used = one.reservation.held.map(held => Math.round((held * step.percent) / 100))
    await store.settle(one.reservation, used)
    settled = one.reservation
    for (const [index, hold] of one.holds.entries()) hold.settle(lastUs(), used[index] ?? 0)
  }

  async function renew(step: ModelStep & { do: 'renew' }) {
    const one = open[step.which % Math.max(1, open.length)]
    if (one === undefined) return
    await store.renew([one.reservation])
    for (const hold of one.holds) hold.renew(lastUs())
  }

  async function charge(step: ModelStep & { do: 'charge' }, id: string) {
    const set = setOf(step.who)
    const amounts = set.limits.map(({ unit }) => (unit === 'tokens' ? step.tokens : 1))
    await store.charge(id, set, amounts)
    for (const [index, count] of oracle.countsOf(set).entries()) count.charge(lastUs(), amounts[index] ?? 0)
    if (step.isRepeated) await store.charge(id, set, amounts)
  }

  for (const [index, step] of steps.entries()) {
    if (step.do === 'reserve' && reservations < maxReservations) await reserve(step)
    else if (step.do === 'settle') await settle(step)
    else if (step.do === 'settle again' && settled) await store.settle(settled, nothing(settled.set))
    else if (step.do === 'renew') await renew(step)
    else if (step.do === 'charge') await charge(step, `${accountId}-charge-${index}`)
    else if (step.do === 'wait') await wait(step.us)
    else if (step.do === 'look')
      assert.deepEqual(await store.look(setOf(step.who)), expected(setOf(step.who), nothing(setOf(step.who))))
    for (const count of oracle.counts.values()) assert.ok(count.isWithin(lastUs()), 'more was taken than there was')
  }
  for (const one of open) {
    await store.settle(one.reservation, one.reservation.held)
    for (const [index, hold] of one.holds.entries()) hold.settle(lastUs(), one.reservation.held[index] ?? 0)
  }
  for (const set of sets) assert.deepEqual(await store.look(set), expected(set, nothing(set)))
}
