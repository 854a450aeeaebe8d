import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDecimal, formatUsd, parseDecimal, parseUsd } from '../../src/domain/money.ts'

const most = 9_000_000_000_000_000
const amountArb = fc.oneof(fc.integer({ min: 0, max: most }), fc.integer({ min: most - 2_000_000_000, max: most }))

test('amounts are whole numbers of nano-USD', () => {
  const amounts = { '0': 0, '0.000000001': 1, '0.10': 100_000_000, '12.5': 12_500_000_000, '9000000': most }
  for (const [text, nanoUsd] of Object.entries(amounts)) assert.equal(parseUsd(text), nanoUsd)
})

test('what is written of any amount is read as the same amount, and nothing shorter is', () => {
  fc.assert(
    fc.property(amountArb, nanoUsd => {
      const text = formatUsd(nanoUsd)
      assert.equal(parseUsd(text), nanoUsd)
      assert.match(text, /^(0|[1-9][0-9]*)(\.[0-9]{0,8}[1-9])?$/)
    }),
    { numRuns: 2000 },
  )
})

test('zeros that are written more than needed change nothing', () => {
  fc.assert(
    fc.property(fc.nat({ max: 8_999_999 }), fc.nat({ max: 999 }), fc.nat({ max: 6 }), (whole, thousandths, zeros) => {
      const text = `${whole}.${String(thousandths).padStart(3, '0')}`
      assert.equal(parseUsd(text + '0'.repeat(zeros)), parseUsd(text))
      assert.equal(parseUsd(text), whole * 1_000_000_000 + thousandths * 1_000_000)
    }),
  )
})

test('amounts are in the order of their numbers', () => {
  fc.assert(
    fc.property(amountArb, amountArb, (left, right) => {
      assert.equal(Math.sign(parseUsd(formatUsd(left)) - parseUsd(formatUsd(right))), Math.sign(left - right))
    }),
  )
})

test('what is not exactly an amount is refused', () => {
  for (const text of [
    '',
    '.5',
    '5.',
    '1e3',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1,5',
    '0x10',
    '1.2.3',
    '٣',
    'NaN',
    '0.0000000001',
  ])
    assert.throws(() => parseUsd(text), RangeError, text)
  for (const text of ['9000000.000000001', '9000001', '999999999.999999999'])
    assert.throws(() => parseUsd(text), RangeError, text)
})

test('what a cost at its most comes to can be written too', () => {
  assert.equal(formatUsd(Number.MAX_SAFE_INTEGER), '9007199.254740991')
})

test('a sum that no number holds is written to its last digit', () => {
  assert.equal(formatUsd(9_007_199_254_740_993_000_000_001n), '9007199254740993.000000001')
})

test('an amount below 0 is the same one with a sign', () => {
  fc.assert(fc.property(amountArb, nanoUsd => assert.equal(formatUsd(-nanoUsd - 1), `-${formatUsd(nanoUsd + 1)}`)))
  assert.deepEqual([formatUsd(-1), formatUsd(-1_500_000_000n), formatUsd(-0)], ['-0.000000001', '-1.5', '0'])
})

test('other units have other decimals', () => {
  assert.deepEqual([formatDecimal(1_230_000, 6), formatDecimal(7n, 6), formatDecimal(0, 6)], ['1.23', '0.000007', '0'])
  assert.equal(parseDecimal('0.5', 6), 500_000)
  assert.equal(parseDecimal('999999999.999999', 6), 999_999_999_999_999)
  assert.throws(() => parseDecimal('0.0000001', 6), RangeError)
})
