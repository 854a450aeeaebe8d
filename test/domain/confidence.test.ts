import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deviationsFor, differenceInterval, quantileRanks, shareInterval } from '../../src/domain/confidence.ts'

const near = (found: number, expected: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not ${expected}`)

test('deviations are those of the tables', () => {
  near(deviationsFor(0.6826894921370859), 1)
  near(deviationsFor(0.95), 1.959963984540054)
  near(deviationsFor(0.99), 2.5758293035489)
  near(deviationsFor(0.999999), 4.891638475699, 1e-5)
})

test('the interval of a share is the root of its own equation, and holds what was seen', () => {
  const share = fc.integer({ min: 1, max: 10_000 }).chain(of => fc.record({ hits: fc.nat(of), of: fc.constant(of) }))
  fc.assert(
    fc.property(share, fc.double({ min: 0.5, max: 0.9999, noNaN: true }), ({ hits, of }, confidence) => {
      const { low, high } = shareInterval({ hits, of }, confidence)
      assert.ok(0 <= low && low <= hits / of && hits / of <= high && high <= 1)
      const z = deviationsFor(confidence)
      // At its ends the share that was seen is exactly z deviations away.
      for (const end of [low, high].filter(value => value > 1e-9 && value < 1 - 1e-9)) {
        near(Math.abs(hits / of - end) / Math.sqrt((end * (1 - end)) / of), z, 1e-3)
      }
    }),
  )
})

test('the interval of a difference is that of Newcombe 1998, and the other way round the same', () => {
  // Table II, (a) and (d): 56/70 - 48/80 and 9/10 - 3/10.
  const cases = [
    [{ hits: 56, of: 70 }, { hits: 48, of: 80 }, 0.0524, 0.3339],
    [{ hits: 9, of: 10 }, { hits: 3, of: 10 }, 0.1705, 0.809],
  ] as const
  for (const [first, second, low, high] of cases) {
    const found = differenceInterval(first, second, 0.95)
    near(found.low, low, 5e-5)
    near(found.high, high, 5e-5)
    const turned = differenceInterval(second, first, 0.95)
    near(turned.low, -found.high, 1e-12)
    near(turned.high, -found.low, 1e-12)
  }
})

/** P(B < hits) of a binomial count, summed up as it is written. */
function below(hits: number, of: number, share: number): number {
  let sum = 0
  for (let k = 0; k < hits; k++) {
    let term = 1
    for (let i = 1; i <= k; i++) term *= ((of - k + i) / i) * share
    sum += term * (1 - share) ** (of - k)
  }
  return sum
}

test('ranks are the closest that are sure enough on each side', () => {
  const given = { of: fc.integer({ min: 1, max: 150 }), share: fc.constantFrom(0.05, 0.5, 0.9, 0.95) }
  fc.assert(
    fc.property(fc.record(given), fc.constantFrom(0.8, 0.95, 0.999), ({ of, share }, confidence) => {
      const side = (1 - confidence) / 2
      const { low, high } = quantileRanks(of, share, confidence)
      const tolerance = 1e-9
      if (low !== null) assert.ok(below(low, of, share) <= side + tolerance)
      assert.ok((low ?? 0) >= of || below((low ?? 0) + 1, of, share) > side - tolerance)
      if (high !== null) assert.ok(1 - below(high, of, share) <= side + tolerance)
      assert.ok(1 - below((high ?? of + 1) - 1, of, share) > side - tolerance)
    }),
    { numRuns: 300 },
  )
})

test('of many values the ranks are those of the normal distribution', () => {
  for (const count of [100_000, 100_000_000]) {
    const { low, high } = quantileRanks(count, 0.5, 0.95)
    const reach = 1.96 * Math.sqrt(count / 4)
    near(low ?? 0, count / 2 - reach, 2)
    near(high ?? 0, count / 2 + reach, 2)
  }
})
