import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { isSameDigest } from '../../src/domain/api-key.ts'

const samples = 100_000
/** One comparison is too short for the clock. */
const perSample = 20
const kinds = ['first byte', 'last byte'] as const

interface Moments {
  count: number
  mean: number
  squares: number
}

/** Welford's running mean and sum of squares. */
function add(moments: Moments, value: number): void {
  moments.count += 1
  const delta = value - moments.mean
  moments.mean += delta / moments.count
  moments.squares += delta * (value - moments.mean)
}

/** Two-sided p of Welch's t-test; with so many samples t is as good as normal (Abramowitz and Stegun 7.1.26 for erf). */
function pValue(one: Moments, two: Moments): number {
  const variance = ({ squares, count }: Moments) => squares / (count - 1) / count
  const z = Math.abs(one.mean - two.mean) / Math.sqrt(variance(one) + variance(two))
  const x = z / Math.SQRT2
  const k = 1 / (1 + 0.3275911 * x)
  const polynomial = k * (0.254829592 + k * (-0.284496736 + k * (1.421413741 + k * (-1.453152027 + k * 1.061405429))))
  return polynomial * Math.exp(-x * x)
}

/** How probable such a difference is where there is none, between digests that differ early and late. */
function measure(): number {
  const stored = randomBytes(32)
  const other = { 'first byte': Buffer.from(stored), 'last byte': Buffer.from(stored) }
  other['first byte'].writeUInt8(stored.readUInt8(0) ^ 1, 0)
  other['last byte'].writeUInt8(stored.readUInt8(31) ^ 1, 31)
  const times = {
    'first byte': { count: 0, mean: 0, squares: 0 },
    'last byte': { count: 0, mean: 0, squares: 0 },
  }
  const order = randomBytes(samples)
  for (let index = -5000; index < samples; index += 1) {
    // In random turns, so that nothing that drifts falls on one of them.
    const kind = kinds[(order[Math.max(index, 0)] ?? 0) & 1] ?? 'first byte'
    const presented = other[kind]
    const startedAt = process.hrtime.bigint()
    for (let turn = 0; turn < perSample; turn += 1) isSameDigest(stored, presented)
    const tookNs = Number(process.hrtime.bigint() - startedAt)
    // What another process took away says nothing about us.
    if (index >= 0 && tookNs < 50_000) add(times[kind], tookNs)
  }
  return pValue(times['first byte'], times['last byte'])
}

test('K12 how long a comparison takes does not say where two digests differ', () => {
  // By its own measure the test is wrong once in a hundred times: three times in a row is once in a million.
  const found = [measure(), measure(), measure()]
  assert.ok(Math.max(...found) > 0.01, `p was ${found.map(p => p.toFixed(4)).join(', ')}`)
})
