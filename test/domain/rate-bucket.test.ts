import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RateLimit } from '../../src/domain/limit.ts'
import {
  add,
  drain,
  dropsOf,
  emptyBucket,
  giveBack,
  levelAt,
  type RateBucket,
  take,
  usedOf,
  waitUs,
} from '../../src/domain/rate-bucket.ts'
import { RateOracle } from '../support/limit-oracle.ts'
import { rateLimit } from '../support/limit-sets.ts'

const startUs = Date.parse('2026-11-24T00:00:00Z') * 1000

function admit(bucket: RateBucket, limit: RateLimit, { nowUs, amount }: { nowUs: number; amount: number }) {
  drain(bucket, limit, nowUs)
  if (waitUs(limit, bucket.levelDrops, amount) > 0) return null
  return take(bucket, dropsOf(limit, amount))
}

test('L01: under constant demand floor(capacity + size × elapsed / period) are admitted, to the unit', () => {
  const cases = [
    { size: 1000, capacity: 1000, periodMs: 60_000 },
    { size: 7, capacity: 3, periodMs: 60_000 },
    { size: 1, capacity: 1, periodMs: 86_400_000 },
    { size: 999_983, capacity: 10, periodMs: 86_400_000 },
  ]
  for (const { size, capacity, periodMs } of cases) {
    const limit = rateLimit(size, { capacity, periodMs })
    const bucket = emptyBucket(startUs)
    const endUs = startUs + (periodMs * 1000) / 7
    let admitted = 0
    // Asked again at the very microsecond at which it said that it would admit.
    for (let nowUs = startUs; nowUs <= endUs; ) {
      if (admit(bucket, limit, { nowUs, amount: 1 }) !== null) admitted += 1
      else nowUs += Math.max(1, waitUs(limit, bucket.levelDrops, 1))
      if (admitted > 20_000) break
    }
    const elapsedUs = admitted > 20_000 ? bucket.atUs - startUs : Math.floor(endUs) - startUs
    const expected = Math.floor(capacity + (size * elapsedUs) / (periodMs * 1000))
    assert.equal(admitted, expected, JSON.stringify({ size, capacity, periodMs }))
  }
})

test('the wait is right to the microsecond', () => {
  fc.assert(
    fc.property(
      fc.record({
        size: fc.integer({ min: 1, max: 2_000_000 }),
        capacity: fc.integer({ min: 1, max: 2_000_000 }),
        periodMs: fc.constantFrom(1000, 60_000),
        share: fc.double({ min: 0, max: 2, noNaN: true }),
        amount: fc.integer({ min: 1, max: 1000 }),
      }),
      ({ share, amount, ...rate }) => {
        const limit = rateLimit(rate.size, rate)
        const level = Math.floor(share * dropsOf(limit, rate.capacity))
        const us = waitUs(limit, level, amount)
        if (amount > rate.capacity) return us === Number.POSITIVE_INFINITY || us === 0
        const bucket = { ...emptyBucket(startUs), levelDrops: level }
        const fitsAfter = (afterUs: number) => waitUs(limit, levelAt(bucket, limit, startUs + afterUs), amount) === 0
        return fitsAfter(us) && (us === 0 || !fitsAfter(us - 1))
      },
    ),
    { numRuns: 2000 },
  )
})

test('what never fits, and what nothing refills, waits for ever', () => {
  assert.equal(waitUs(rateLimit(10), 0, 11), Number.POSITIVE_INFINITY)
  assert.equal(waitUs(rateLimit(0, { capacity: 5 }), 0, 5), 0)
  assert.equal(waitUs(rateLimit(0, { capacity: 5 }), dropsOf(rateLimit(0), 1), 5), Number.POSITIVE_INFINITY)
  assert.equal(waitUs(rateLimit(0), 0, 0), 0)
})

test('used is rounded up', () => {
  const limit = rateLimit(10)
  assert.deepEqual(
    [0, 1, 60_000_000, 60_000_001].map(drops => usedOf(limit, drops)),
    [0, 1, 1, 2],
  )
})

test('L14: a clock that goes back refills nothing, loses nothing and locks nobody out', () => {
  const limit = rateLimit(60)
  const bucket = emptyBucket(startUs)
  assert.notEqual(admit(bucket, limit, { nowUs: startUs, amount: 60 }), null)
  const backUs = startUs - 3_600_000_000
  assert.equal(admit(bucket, limit, { nowUs: backUs, amount: 1 }), null)
  assert.equal(waitUs(limit, bucket.levelDrops, 1), 1_000_000)
  assert.notEqual(admit(bucket, limit, { nowUs: backUs + 1_000_000, amount: 1 }), null)
  assert.equal(admit(bucket, limit, { nowUs: backUs + 1_999_999, amount: 1 }), null)
})

test('reservations that are held open bank nothing: what time has refilled is not given back', () => {
  const limit = rateLimit(60)
  const bucket = emptyBucket(startUs)
  const seq = admit(bucket, limit, { nowUs: startUs, amount: 60 }) ?? 0
  const laterUs = startUs + 60_000_000
  const again = admit(bucket, limit, { nowUs: laterUs, amount: 60 })
  assert.notEqual(again, null)
  giveBack(bucket, seq, dropsOf(limit, 60))
  assert.equal(usedOf(limit, bucket.levelDrops), 60)
  giveBack(bucket, again ?? 0, dropsOf(limit, 50))
  assert.equal(usedOf(limit, bucket.levelDrops), 10)
})

test('a reservation that was not made here is given nothing back', () => {
  const limit = rateLimit(60)
  const bucket = emptyBucket(startUs)
  admit(bucket, limit, { nowUs: startUs, amount: 10 })
  giveBack(bucket, startUs + 1, dropsOf(limit, 10))
  giveBack(bucket, startUs - 1, dropsOf(limit, 10))
  assert.equal(usedOf(limit, bucket.levelDrops), 10)
})

type Step =
  | { do: 'reserve'; amount: number; afterUs: number }
  | { do: 'settle'; which: number; share: number; afterUs: number }
  | { do: 'charge'; amount: number; afterUs: number }

function stepsOf(afterUs: fc.Arbitrary<number>, lengths: fc.ArrayConstraints): fc.Arbitrary<Step[]> {
  const is = <Name extends string>(name: Name) => fc.constant(name)
  const reserve = fc.record({ do: is('reserve'), amount: fc.integer({ min: 0, max: 12 }), afterUs })
  const settle = fc.record({ do: is('settle'), which: fc.nat(100), share: fc.integer({ min: 0, max: 15 }), afterUs })
  const charge = fc.record({ do: is('charge'), amount: fc.integer({ min: 0, max: 3 }), afterUs })
  const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { weight: 5, arbitrary: reserve },
    { weight: 4, arbitrary: settle },
    { weight: 1, arbitrary: charge },
  )
  return fc.array(step, lengths)
}

/** Runs the steps on a bucket and on the replay; compares after each. */
function replay(steps: readonly Step[], limit: RateLimit): { wasExact: boolean } {
  const bucket = emptyBucket(startUs)
  const oracle = new RateOracle(limit)
  const open: { seq: number; held: number; charge: { amount: number } }[] = []
  let nowUs = startUs
  let isExact = true
  for (const one of steps) {
    nowUs += one.afterUs
    drain(bucket, limit, nowUs)
    // Draining to a clock that went back is a point of the history as well.
    oracle.charge(nowUs, 0)
    if (one.do === 'charge') {
      add(bucket, dropsOf(limit, one.amount))
      oracle.charge(nowUs, one.amount)
    } else if (one.do === 'reserve') {
      if (waitUs(limit, bucket.levelDrops, one.amount) > 0) continue
      // Also one of nothing needs a mark of its own where the level has been added to since the last.
      const needsMark = bucket.levelDrops + dropsOf(limit, one.amount) > (bucket.marks.at(-1)?.lowDrops ?? 0)
      if (needsMark && bucket.marks.length === 16) isExact = false
      const seq = take(bucket, dropsOf(limit, one.amount))
      open.push({ seq, held: one.amount, charge: oracle.charge(nowUs, one.amount) })
    } else {
      const [reservation] = open.splice(one.which % Math.max(1, open.length), 1)
      if (reservation === undefined) continue
      const used = Math.round((reservation.held * one.share) / 10)
      oracle.charge(nowUs, Math.max(0, used - reservation.held))
      reservation.charge.amount = Math.min(used, reservation.held)
      if (used > reservation.held) add(bucket, dropsOf(limit, used - reservation.held))
      else giveBack(bucket, reservation.seq, dropsOf(limit, reservation.held - used))
    }
    const expected = oracle.levelAt(nowUs)
    if (isExact) assert.equal(bucket.levelDrops, expected)
    else assert.ok(bucket.levelDrops >= expected, `${bucket.levelDrops} is below ${expected}`)
    let last = { seq: 0, lowDrops: 0 }
    for (const mark of bucket.marks) {
      assert.ok(mark.seq > last.seq && mark.lowDrops > last.lowDrops && mark.lowDrops <= bucket.levelDrops)
      last = mark
    }
    assert.ok(bucket.marks.length <= 16)
  }
  return { wasExact: isExact }
}

test('after any settlements the level is that of a history in which only what was used was ever taken', () => {
  // A period of 10 µs, so that microseconds matter and the level often touches zero.
  const limit = rateLimit(2, { capacity: 40, periodMs: 0.01 })
  const afterUs = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: -200, max: 300 }) },
  )
  fc.assert(
    fc.property(stepsOf(afterUs, { maxLength: 60, size: 'max' }), steps => {
      replay(steps, limit)
    }),
    { numRuns: 3000 },
  )
})

test('beyond 16 marks a refund is smaller at most', () => {
  const limit = rateLimit(1, { capacity: 10_000, periodMs: 0.01 })
  let inexact = 0
  fc.assert(
    fc.property(stepsOf(fc.integer({ min: 0, max: 40 }), { minLength: 60, maxLength: 200 }), steps => {
      if (!replay(steps, limit).wasExact) inexact += 1
    }),
    { numRuns: 300 },
  )
  assert.ok(inexact > 50, `${inexact} of the runs had that many`)
})

test('of a hundred that are open at once all give back all that they did not use, and in any order', () => {
  const limit = rateLimit(0, { capacity: 10_000 })
  fc.assert(
    fc.property(fc.shuffledSubarray([...Array(100).keys()], { minLength: 100 }), fc.nat(50), (order, part) => {
      const bucket = emptyBucket(startUs)
      // Some that have ended, and which nobody gives back.
      for (let one = 0; one < 100; one += 1) take(bucket, dropsOf(limit, 50))
      const seqs = order.map(() => take(bucket, dropsOf(limit, 50)))
      for (const one of order) giveBack(bucket, seqs[one] ?? 0, dropsOf(limit, part))
      assert.equal(bucket.levelDrops, dropsOf(limit, 100 * 50 + 100 * (50 - part)))
    }),
    { numRuns: 50 },
  )
})
