import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { coverByMonths, dayMs, hourMs, splitByDays, type TimeRange, widening } from '../../src/domain/usage-range.ts'

const at = (time: string) => Date.parse(`${time}:00Z`)
const lengthOf = ({ fromMs, untilMs }: TimeRange) => untilMs - fromMs
const told = (parts: readonly (TimeRange & { unit: string })[]) =>
  parts.map(({ unit, fromMs, untilMs }) => [
    unit,
    new Date(fromMs).toISOString().slice(0, 16),
    lengthOf({ fromMs, untilMs }) / hourMs,
  ])

const hour = fc.integer({ min: 0, max: 24 * 100 }).map(hours => at('2024-01-20T00:00') + hours * hourMs)
const anyRange = fc.tuple(hour, hour).map(([one, two]) => ({ fromMs: Math.min(one, two), untilMs: Math.max(one, two) }))

/** Without gap and overlap. */
function assertMakesUp(pieces: readonly TimeRange[], range: TimeRange): void {
  let reachedMs = range.fromMs
  for (const piece of pieces) {
    assert.equal(piece.fromMs, reachedMs)
    assert.ok(lengthOf(piece) > 0)
    reachedMs = piece.untilMs
  }
  assert.equal(reachedMs, range.untilMs)
}

test('a range is hours, days, months, days and hours, as far as it has them', () => {
  const range = { fromMs: at('2024-01-30T22:00'), untilMs: at('2024-03-02T03:00') }
  assert.deepEqual(told(splitByDays(range)), [
    ['hour', '2024-01-30T22:00', 2],
    ['day', '2024-01-31T00:00', 31 * 24],
    ['hour', '2024-03-02T00:00', 3],
  ])
})

test('the parts make up the range, and are as large as can be', () => {
  fc.assert(
    fc.property(anyRange, range => {
      const parts = splitByDays(range)
      assertMakesUp(parts, range)
      for (const part of parts) {
        if (part.unit === 'hour') assert.ok(lengthOf(part) < dayMs)
        else assert.ok(part.fromMs % dayMs === 0 && part.untilMs % dayMs === 0)
      }
    }),
  )
})

test('what begins or ends within an hour has no sums', () => {
  assert.throws(() => splitByDays({ fromMs: 1, untilMs: hourMs }), /1 ms is not the beginning/)
  assert.throws(() => splitByDays({ fromMs: Number.NaN, untilMs: hourMs }), RangeError)
})

test('pieces make up the range, each twice as long as the one before', () => {
  fc.assert(fc.property(anyRange, range => assertMakesUp([...widening(range, dayMs)], range)))
  const pieces = [...widening({ fromMs: 0, untilMs: 10 * dayMs }, dayMs)]
  assert.deepEqual(
    pieces.map(piece => lengthOf(piece) / dayMs),
    [1, 2, 4, 3],
  )
})

test('a range is covered by each of its hours once, what is not in it being taken away again', () => {
  fc.assert(
    fc.property(anyRange, range => {
      const counts = new Map<number, number>()
      const parts = coverByMonths(range)
      for (const { unit, fromMs, untilMs, isAdded } of parts) {
        if (unit !== 'month') assert.equal(new Date(fromMs).getUTCMonth(), new Date(untilMs - 1).getUTCMonth())
        for (let atMs = fromMs; atMs < untilMs; atMs += hourMs) {
          counts.set(atMs, (counts.get(atMs) ?? 0) + (isAdded ? 1 : -1))
        }
      }
      const covered = [...counts].filter(([, count]) => count !== 0).toSorted(([a], [b]) => a - b)
      const wanted = Array.from({ length: lengthOf(range) / hourMs }, (_, index) => [range.fromMs + index * hourMs, 1])
      assert.deepEqual(covered, wanted)
      const rows = (unit: string) =>
        parts.filter(part => part.unit === unit).reduce((sum, part) => sum + lengthOf(part), 0)
      assert.ok(rows('day') <= 2 * 16 * dayMs)
      assert.ok(rows('hour') <= 2 * 12 * hourMs)
    }),
  )
})
