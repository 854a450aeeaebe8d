/**
 * Times in bounded memory: each is counted in a bucket 1 % wide, so that what is read from it is off by half a percent at
 * most. From 10 µs to over an hour; what is beyond counts in the first or last bucket. 8 KB.
 */

const leastMs = 0.01
const growth = 1.01
const buckets = 2000

export interface LatencyHistogram {
  readonly counts: Uint32Array
  count: number
}

/** A bucket's edges and its middle, in milliseconds. */
export interface Bucket {
  readonly low: number
  readonly middle: number
  readonly high: number
}

export const emptyHistogram = (): LatencyHistogram => ({ counts: new Uint32Array(buckets), count: 0 })

export function recordLatency(histogram: LatencyHistogram, durationMs: number): void {
  const steps = Math.floor(Math.log(durationMs / leastMs) / Math.log(growth)) + 1
  const index = durationMs < leastMs ? 0 : Math.min(steps, buckets - 1)
  histogram.counts[index] = (histogram.counts[index] ?? 0) + 1
  histogram.count += 1
}

/** Where the value with this rank lies, counted from 1 for the least; the last bucket for ranks that there are not. */
export function bucketAt({ counts }: LatencyHistogram, rank: number): Bucket {
  let index = 0
  for (let seen = counts[0] ?? 0; seen < rank && index < buckets - 1; ) {
    index += 1
    seen += counts[index] ?? 0
  }
  const [low, high] = [index === 0 ? 0 : leastMs * growth ** (index - 1), leastMs * growth ** index]
  return { low, middle: index === 0 ? high / 2 : Math.sqrt(low * high), high }
}
