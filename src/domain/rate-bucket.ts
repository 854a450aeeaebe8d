/**
 * A rate as a leaking level: what is admitted is poured in, time drains `size` per period, and there is room for
 * `capacity`. So what is admitted under constant demand is floor(capacity + size × elapsed / period), to the unit.
 *
 * All amounts inside are in "drops": one request or token is as many drops as the period has microseconds, and each
 * microsecond drains `size` of them. These are whole numbers, so nothing is ever rounded below 2^53 drops (100,000 requests
 * per day, or 150 million tokens per minute); above, one part in 10^16 is lost.
 *
 * src/store/limit-scripts takes the same steps in Redis; change them together.
 */
import type { RateLimit } from './limit.ts'

/** `lowDrops` is the lowest level since the reservation `seq`, and since all later ones before the next mark. */
interface Mark {
  readonly seq: number
  readonly lowDrops: number
}

export interface RateBucket {
  levelDrops: number
  /** The clock at which the level was that. */
  atUs: number
  /** The last reservation's; a reservation beyond it was not made here. */
  lastSeq: number
  /** `seq` and `lowDrops` both rise. None where the level has touched zero since every reservation. */
  marks: Mark[]
}

/** A mark is 18 bytes in Redis. Beyond this many a refund may become smaller, never larger. */
const maxMarks = 16

export const emptyBucket = (nowUs: number): RateBucket => ({ levelDrops: 0, atUs: nowUs, lastSeq: 0, marks: [] })

const periodUsOf = ({ periodMs }: RateLimit): number => periodMs * 1000

/** What `amount` requests or tokens are in drops. */
export const dropsOf = (limit: RateLimit, amount: number): number => amount * periodUsOf(limit)

/** The level at `nowUs`, in drops. Where the clock went back nothing has drained. */
export function levelAt(bucket: RateBucket, { size }: RateLimit, nowUs: number): number {
  return Math.max(0, bucket.levelDrops - Math.max(0, nowUs - bucket.atUs) * size)
}

/** Requests or tokens used, rounded up. */
export const usedOf = (limit: RateLimit, levelDrops: number): number => Math.ceil(levelDrops / periodUsOf(limit))

/** Microseconds until `amount` fits beside `levelDrops`; 0 where it does, Infinity where it never will. */
export function waitUs(limit: RateLimit, levelDrops: number, amount: number): number {
  const { size, capacity } = limit
  const overDrops = levelDrops + dropsOf(limit, amount) - dropsOf(limit, capacity)
  if (overDrops <= 0) return 0
  if (amount > capacity || size === 0) return Number.POSITIVE_INFINITY
  const us = Math.ceil(overDrops / size)
  // A quotient just above a whole number may have been rounded down to it.
  const waitedUs = us * size < overDrops ? us + 1 : us
  return waitedUs > 2 ** 53 ? Number.POSITIVE_INFINITY : waitedUs
}

/**
 * Drains what time has drained, and sets the bucket's clock, also back: whoever has seen an hour too much must not wait for
 * it. Marks above the level sink to it.
 */
export function drain(bucket: RateBucket, limit: RateLimit, nowUs: number): void {
  bucket.levelDrops = levelAt(bucket, limit, nowUs)
  bucket.atUs = nowUs
  let sunk: Mark | undefined
  for (
    let top = bucket.marks.at(-1);
    top !== undefined && top.lowDrops > bucket.levelDrops;
    top = bucket.marks.at(-1)
  ) {
    sunk = top
    bucket.marks.pop()
  }
  if (sunk !== undefined) mark(bucket, sunk.seq)
}

/** Adds to a bucket what was not reserved; it must have been drained to now. */
export function add(bucket: RateBucket, drops: number): void {
  bucket.levelDrops += drops
}

/** Adds to a bucket that has been drained to now; returns the reservation's seq for `giveBack`. */
export function take(bucket: RateBucket, drops: number): number {
  bucket.levelDrops += drops
  bucket.lastSeq = Math.max(bucket.atUs, bucket.lastSeq + 1)
  mark(bucket, bucket.lastSeq)
  if (bucket.marks.length > maxMarks) bucket.marks.splice(leastMissed(bucket.marks), 1)
  return bucket.lastSeq
}

/**
 * The index of the mark that stands least above the one before, of equal ones the oldest. Its reservations fall to that one,
 * and a refund is smaller only where it is larger than that low: so lows are kept apart, and the lowest is kept.
 */
function leastMissed(marks: readonly Mark[]): number {
  let [found, leastStep] = [1, Number.POSITIVE_INFINITY]
  for (let index = 1; index < marks.length; index += 1) {
    const step = (marks[index]?.lowDrops ?? 0) - (marks[index - 1]?.lowDrops ?? 0)
    if (step < leastStep) [found, leastStep] = [index, step]
  }
  return found
}

/** The lowest level since `seq` is the present one. */
function mark(bucket: RateBucket, seq: number): void {
  if (bucket.levelDrops > (bucket.marks.at(-1)?.lowDrops ?? 0)) bucket.marks.push({ seq, lowDrops: bucket.levelDrops })
}

/**
 * Gives back what the reservation `seq` did not use, in a bucket that has been drained to now. Afterwards the level is what
 * it would be, had the reservation been smaller from the start.
 *
 * Taking w out of the past lowers every level since by w, except where that would be below zero: from there on the two
 * histories differ only by the lowest level L that there was (the reflection of a queue at zero). So the refund is
 * D = min(w, L), and not w: the rest has been drained, and would otherwise be saved up by whoever holds reservations open.
 * In the new history every low after `seq` is lower by D, and a low from before is the lower of itself and L − D.
 */
export function giveBack(bucket: RateBucket, seq: number, drops: number): void {
  if (seq > bucket.lastSeq) return
  const low = bucket.marks.findLast(one => one.seq <= seq)?.lowDrops ?? 0
  const backDrops = Math.min(drops, low)
  bucket.levelDrops -= backDrops
  const { marks } = bucket
  bucket.marks = []
  for (const { seq: since, lowDrops } of marks) {
    const newLow = lowDrops > low ? lowDrops - backDrops : Math.min(lowDrops, low - backDrops)
    // Of equal ones the oldest stays, and zero needs none.
    if (newLow > (bucket.marks.at(-1)?.lowDrops ?? 0)) bucket.marks.push({ seq: since, lowDrops: newLow })
  }
}
