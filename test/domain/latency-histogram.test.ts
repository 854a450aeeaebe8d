import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bucketAt, emptyHistogram, recordLatency } from '../../src/domain/latency-histogram.ts'

function histogramOf(values: readonly number[]) {
  const histogram = emptyHistogram()
  for (const value of values) recordLatency(histogram, value)
  return histogram
}

const latency = fc.double({ min: 0.011, max: 3_600_000, noNaN: true })

test('the value of each rank lies in its bucket, which is one percent wide', () => {
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 50 }), values => {
      const histogram = histogramOf(values)
      assert.equal(histogram.count, values.length)
      for (const [index, value] of values.toSorted((a, b) => a - b).entries()) {
        const { low, middle, high } = bucketAt(histogram, index + 1)
        const slack = value * 1e-9
        assert.ok(low <= value + slack && value <= high + slack, `${value} is not in ${low} to ${high}`)
        assert.ok(high / low < 1.01 + 1e-9)
        assert.ok(Math.abs(middle / value - 1) < 0.00501)
      }
    }),
  )
})

test('a higher rank is no smaller value', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, noNaN: true }), { minLength: 1, maxLength: 100 }), values => {
      const histogram = histogramOf(values)
      const read = values.map((_, index) => bucketAt(histogram, index + 1).middle)
      assert.deepEqual(
        read,
        read.toSorted((a, b) => a - b),
      )
    }),
  )
})

test('what is beyond both ends is counted there', () => {
  const histogram = histogramOf([0, 0.001, 1e12, Number.MAX_VALUE])
  assert.equal(bucketAt(histogram, 1).low, 0)
  assert.equal(bucketAt(histogram, 2).high, 0.01)
  assert.ok(bucketAt(histogram, 3).low > 3_600_000)
  assert.deepEqual(bucketAt(histogram, 4), bucketAt(histogram, 3))
})
