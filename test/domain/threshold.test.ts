import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { reachedPercents, usedUnder } from '../../src/domain/threshold.ts'

const percents = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 })
const sizes = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 9_000_000_000_000_000 }))

const uses = fc.bigInt(0n, 10n ** 16n)

/** The least whole number that is so many percent of a size or more. */
const leastOf = (size: number, percent: number) => (BigInt(size) * BigInt(percent) + 99n) / 100n

test('a threshold is reached from the least amount on that is so many percent, and not one before', () => {
  fc.assert(
    fc.property(sizes, percents, fc.nat({ max: 100 }), (size, wanted, pick) => {
      const percent = wanted[pick % wanted.length] ?? 1
      const least = leastOf(size, percent)
      assert.ok(reachedPercents(least, size, wanted).includes(percent))
      assert.ok(!reachedPercents(least - 1n, size, wanted).includes(percent))
    }),
  )
})

test('more use never takes one away, a larger limit never adds one, and there is none but those that were asked for', () => {
  fc.assert(
    fc.property(fc.tuple(sizes, sizes), percents, fc.tuple(uses, uses), ([a, b], wanted, [x, y]) => {
      const [small, large] = [Math.min(a, b), Math.max(a, b)]
      const [little, much] = x < y ? [x, y] : [y, x]
      const few = new Set(reachedPercents(little, large, wanted))
      assert.ok(few.isSubsetOf(new Set(reachedPercents(much, large, wanted))))
      assert.ok(few.isSubsetOf(new Set(reachedPercents(little, small, wanted))))
      assert.ok(few.isSubsetOf(new Set(wanted)))
    }),
  )
})

test('at the edges: all of it is 100 %, nothing is none, and of a limit of 0 there is none', () => {
  assert.deepEqual(reachedPercents(9_000_000n, 9_000_000, [50, 100]), [50, 100])
  assert.deepEqual(reachedPercents(8_999_999n, 9_000_000, [50, 100]), [50])
  assert.deepEqual(reachedPercents(3n, 3, [80]), [80])
  assert.deepEqual(reachedPercents(2n, 3, [80, 66, 67]), [66])
  assert.deepEqual(reachedPercents(0n, 1, [1]), [])
  assert.deepEqual(reachedPercents(5n, 0, [1, 100]), [])
})

test('each limit counts what is its own', () => {
  const use = { dayNanoUsd: 1n, monthNanoUsd: 2n, monthTokens: 3n }
  const base = { kind: 'period', of: 'account', size: 1 } as const
  const used = [
    usedUnder({ ...base, name: 'spend_per_day', unit: 'nanoUsd', period: 'day' }, use),
    usedUnder({ ...base, name: 'spend_per_month', unit: 'nanoUsd', period: 'month' }, use),
    usedUnder({ ...base, name: 'tokens_per_month', unit: 'tokens', period: 'month' }, use),
  ]
  assert.deepEqual(used, [1n, 2n, 3n])
})
