import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  costAtMost,
  costOf,
  type Price,
  type PriceText,
  parsePrice,
  priceAt,
  type Use,
} from '../../src/domain/price.ts'

const priced = (amounts: Omit<PriceText, 'from'>) => parsePrice('large', { from: '2026-01-01', ...amounts })
const use = (amounts: Partial<Use>): Use => ({
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  durationMs: 0,
  ...amounts,
})
const largest = Number.MAX_SAFE_INTEGER

const amountArb = fc
  .tuple(fc.nat({ max: 999_999_999 }), fc.nat({ max: 999_999 }))
  .map(([whole, millionths]) => `${whole}.${String(millionths).padStart(6, '0')}`)
const smallArb = fc.nat({ max: 99_999_999 }).map(millionths => `0.${String(millionths).padStart(8, '0').slice(0, 6)}`)
const textArb = fc.oneof(amountArb, smallArb)
const priceArb: fc.Arbitrary<Price> = fc.oneof(
  fc
    .record({ input: textArb, cachedInput: textArb, output: textArb }, { requiredKeys: [] })
    .map(amounts => priced(amounts)),
  fc.nat({ max: 8_999_999 }).map(perSecond => priced({ perSecond: `${perSecond}.000000001` })),
  smallArb.map(perSecond => priced({ perSecond })),
)
const countArb = fc.oneof(fc.nat({ max: 1000 }), fc.nat({ max: 2 ** 31 - 1 }), fc.maxSafeNat())
const timeArb = fc.oneof(
  fc.double({ min: 0, max: 86_400_000, noNaN: true }),
  fc.double({ min: 0, max: 1e18, noNaN: true }),
)
const useArb: fc.Arbitrary<Use> = fc.record({
  inputTokens: countArb,
  cachedInputTokens: countArb,
  outputTokens: countArb,
  durationMs: timeArb,
})

test('a cost is exact, and rounded once, half up', () => {
  const price = priced({ input: '0.20', cachedInput: '0.05', output: '0.60' })
  // 700 × 0.20 + 300 × 0.05 + 50 × 0.60 millionths of a dollar.
  assert.equal(costOf(price, use({ inputTokens: 1000, cachedInputTokens: 300, outputTokens: 50 })), 185_000)
  const fine = priced({ input: '0.000499', output: '0.000001' })
  assert.equal(costOf(fine, use({ inputTokens: 1 })), 0)
  assert.equal(costOf(fine, use({ inputTokens: 1, outputTokens: 1 })), 1)
  // Each of three parts alone would have been rounded away.
  assert.equal(costOf(priced({ input: '0.0002' }), use({ inputTokens: 3 })), 1)
  const byTime = priced({ perSecond: '0.00045' })
  assert.equal(costOf(byTime, use({ inputTokens: 9, outputTokens: 9, durationMs: 1500 })), 675_000)
  assert.equal(costOf(priced({ perSecond: '0.000000001' }), use({ durationMs: 499.9 })), 0)
  assert.equal(costOf(priced({ perSecond: '0.000000001' }), use({ durationMs: 500 })), 1)
})

test('an amount that is absent beside others is 0, only cached input costs what input does', () => {
  const all = use({ inputTokens: 1000, cachedInputTokens: 400, outputTokens: 1000 })
  assert.equal(costOf(priced({ input: '1' }), all), 1_000_000)
  assert.equal(costOf(priced({ output: '1' }), all), 1_000_000)
  assert.equal(costOf(priced({ cachedInput: '1' }), all), 400_000)
  assert.equal(costOf(priced({ input: '1', cachedInput: '0' }), all), 600_000)
})

test('more cached input than input is an engine that counts wrong, and costs what all of the input cached does', () => {
  const price = priced({ input: '1', cachedInput: '0.5' })
  assert.equal(costOf(price, use({ inputTokens: 10, cachedInputTokens: 99 })), 5000)
})

test('without a price nothing costs anything', () => {
  assert.equal(costOf(null, use({ inputTokens: 9, outputTokens: 9, durationMs: 9 })), 0)
  assert.equal(costAtMost(null, use({ inputTokens: 9, outputTokens: 9, durationMs: 9 })), 0)
})

test('the price is the newest whose day has begun, in UTC', () => {
  const prices = ['2026-01-01', '2026-07-01', '2027-01-01'].map(from => parsePrice('large', { from, input: '1' }))
  const at = (time: string) => prices.indexOf(priceAt(prices, Date.parse(time)) ?? assert.fail(time))
  assert.equal(priceAt(prices, Date.parse('2025-12-31T23:59:59.999Z')), null)
  assert.equal(priceAt([], Date.now()), null)
  assert.equal(at('2026-01-01T00:00:00Z'), 0)
  assert.equal(at('2026-06-30T23:59:59.999Z'), 0)
  assert.equal(at('2026-07-01T00:00:00Z'), 1)
  assert.equal(at('2099-01-01T00:00:00Z'), 2)
})

test('a version names one price of one model or of one of its targets, and that of a model never changes', () => {
  const text = { from: '2026-01-01', input: '0.15', output: '0.6' }
  const version = (model: string, backend?: string, name = 'q4') =>
    parsePrice(model, text, backend === undefined ? undefined : { backend, model: name }).version
  assert.equal(version('small'), '2026-01-01-2855300e70211633')
  const all = [version('small'), version('large'), version('small', 'one'), version('small', 'two')]
  all.push(version('small', 'one', 'q8'), version('large', 'one'))
  assert.equal(new Set(all).size, all.length)
  assert.equal(version('small', 'one'), version('small', 'one'))
})

test('a bound is never below the cost of any use within it', () => {
  const within = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(priceArb, useArb, within, (price, most, part) => {
      const less = use({
        inputTokens: Math.floor(most.inputTokens * part),
        cachedInputTokens: most.cachedInputTokens,
        outputTokens: Math.floor(most.outputTokens * part),
        durationMs: most.durationMs * part,
      })
      const bound = costAtMost(price, most)
      assert.ok(bound >= costOf(price, most), 'all of it')
      assert.ok(bound >= costOf(price, less), 'a part of it')
    }),
    { numRuns: 5000 },
  )
})

test('costs are whole numbers that are counted exactly, however much is used', () => {
  fc.assert(
    fc.property(priceArb, useArb, (price, amounts) => {
      for (const cost of [costOf(price, amounts), costAtMost(price, amounts)])
        assert.ok(Number.isSafeInteger(cost) && cost >= 0, String(cost))
    }),
  )
  const dearest = priced({ input: '999999999', output: '999999999' })
  assert.equal(costOf(dearest, use({ inputTokens: largest, outputTokens: largest })), largest)
  assert.equal(costAtMost(dearest, use({ inputTokens: Infinity, outputTokens: largest })), largest)
  assert.equal(costOf(priced({ perSecond: '9000000' }), use({ durationMs: Infinity })), largest)
})

test('the cost of all is that of its parts, but for one rounding each', () => {
  const partArb = fc.record({ inputTokens: fc.nat({ max: 1e6 }), outputTokens: fc.nat({ max: 1e6 }) })
  fc.assert(
    fc.property(fc.record({ input: smallArb, output: smallArb }), fc.array(partArb), (amounts, parts) => {
      const price = priced(amounts)
      const sum = (key: 'inputTokens' | 'outputTokens') => parts.reduce((total, part) => total + part[key], 0)
      const whole = costOf(price, use({ inputTokens: sum('inputTokens'), outputTokens: sum('outputTokens') }))
      const pieces = parts.reduce((total, part) => total + costOf(price, use(part)), 0)
      assert.ok(Math.abs(whole - pieces) <= (parts.length + 1) / 2)
    }),
  )
})
