/** What is counted under one limit, in the process. Each function takes the step that src/store/limit-scripts takes. */
import type { Period } from '../domain/calendar.ts'
import type { FlightLimit, Limit, PeriodLimit, RateLimit } from '../domain/limit.ts'
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
} from '../domain/rate-bucket.ts'
import type { LimitState } from '../domain/reservation.ts'

interface RateCount {
  readonly kind: 'rate'
  /** As it was last asked about: callers of one account may come with newer and older ones. */
  limit: RateLimit
  readonly bucket: RateBucket
  /** What it began with, which was used elsewhere. */
  seedDrops: number
  seededAtUs: number
}

interface PeriodCount {
  readonly kind: 'period'
  limit: PeriodLimit
  readonly untilUs: number
  used: number
  /** What of it was used elsewhere; null before that is known. */
  seed: number | null
}

interface FlightCount {
  readonly kind: 'flight'
  limit: FlightLimit
  /** When each lease ends. */
  readonly leases: Map<string, number>
  readonly leaseUs: number
  /** The last one taken. */
  lastUntilUs: number
  /** Whether those that were taken first end first; so it is but where the clock went back. */
  isInOrder: boolean
}

export type Count = RateCount | PeriodCount | FlightCount

/** What is held of it for one reservation. */
export interface Held {
  readonly id: string
  readonly seq: number
  readonly amount: number
}

/** As long as Redis keeps a count after its period, for what is settled late. */
const keptUs = 2 * 86_400_000_000

export function emptyCount(limit: Limit, now: { us: number; leaseUs: number; period: Period | null }): Count {
  switch (limit.kind) {
    case 'rate':
      return { kind: 'rate', limit, bucket: emptyBucket(now.us), seedDrops: 0, seededAtUs: now.us }
    case 'period':
      return { kind: 'period', limit, untilUs: now.period?.untilUs ?? now.us, used: 0, seed: null }
    case 'flight':
      return { kind: 'flight', limit, leases: new Map(), leaseUs: now.leaseUs, lastUntilUs: 0, isInOrder: true }
    default:
      return limit satisfies never
  }
}

/** Changes nothing that could be seen. */
export function measure(count: Count, nowUs: number, amount: number): LimitState {
  switch (count.kind) {
    case 'rate': {
      const level = levelAt(count.bucket, count.limit, nowUs)
      return { used: usedOf(count.limit, level), waitUs: waitUs(count.limit, level, amount) }
    }
    case 'period': {
      const { used, limit, untilUs } = count
      if (used + amount <= limit.size) return { used, waitUs: 0 }
      return { used, waitUs: amount > limit.size ? Number.POSITIVE_INFINITY : untilUs - nowUs }
    }
    case 'flight': {
      const used = placesTaken(count, nowUs)
      const isFree = used + Math.min(amount, 1) <= count.limit.size
      return { used, waitUs: isFree ? 0 : Number.POSITIVE_INFINITY }
    }
    default:
      return count satisfies never
  }
}

/** Takes what has been measured to fit; returns what a rate knows the reservation by. */
export function takeFrom(count: Count, nowUs: number, { id, amount }: Omit<Held, 'seq'>): number {
  switch (count.kind) {
    case 'rate':
      drain(count.bucket, count.limit, nowUs)
      return take(count.bucket, dropsOf(count.limit, amount))
    case 'period':
      count.used += amount
      return 0
    case 'flight':
      if (amount > 0) occupy(count, id, nowUs)
      return 0
    default:
      return count satisfies never
  }
}

/** A denial changes nothing, but where the clock went back: else the denied would wait until it is there again. */
export function setClockBack(count: Count, nowUs: number): void {
  if (count.kind === 'rate' && nowUs < count.bucket.atUs) drain(count.bucket, count.limit, nowUs)
}

/** Puts `used` in the place of what is held; returns how much was given back, which is less than that where it has drained. */
export function settleIn(count: Count, nowUs: number, { held, used }: { held: Held; used: number }): number {
  switch (count.kind) {
    case 'rate': {
      const { bucket, limit } = count
      drain(bucket, limit, nowUs)
      const before = bucket.levelDrops
      if (used > held.amount) add(bucket, dropsOf(limit, used - held.amount))
      else giveBack(bucket, held.seq, dropsOf(limit, held.amount - used))
      return usedOf(limit, Math.max(0, before - bucket.levelDrops))
    }
    case 'period':
      // The difference first: both added up may be beyond 2^53.
      count.used = Math.max(0, count.used + (used - held.amount))
      return Math.max(0, held.amount - used)
    case 'flight':
      count.leases.delete(held.id)
      return held.amount
    default:
      return count satisfies never
  }
}

/** Takes a place in flight, or keeps it for another lease. */
export function occupy(count: FlightCount, id: string, nowUs: number): void {
  const untilUs = nowUs + count.leaseUs
  count.leases.delete(id)
  if (untilUs < count.lastUntilUs) count.isInOrder = false
  count.lastUntilUs = untilUs
  count.leases.set(id, untilUs)
}

function placesTaken(count: FlightCount, nowUs: number): number {
  const { leases, leaseUs } = count
  for (const [id, untilUs] of leases) {
    // One that ends later than the longest possible was taken before the clock went back.
    if (untilUs <= nowUs || untilUs > nowUs + 2 * leaseUs) leases.delete(id)
    else if (count.isInOrder) break
  }
  if (leases.size === 0) count.isInOrder = true
  return leases.size
}

/** Whether forgetting it would change nothing. */
export function isIdle(count: Count, nowUs: number): boolean {
  switch (count.kind) {
    case 'rate':
      return count.bucket.lastSeq < nowUs && levelAt(count.bucket, count.limit, nowUs) === 0
    case 'period':
      return nowUs >= count.untilUs + keptUs || (count.seed === null && count.used === 0)
    case 'flight':
      return placesTaken(count, nowUs) === 0
    default:
      return count satisfies never
  }
}

/** Whether it has to be seeded before anybody can say what fits. */
export const isUnseeded = (count: Count): boolean => count.kind === 'period' && count.seed === null

/**
 * Lets a count begin with what was used elsewhere: of a rate that is idle, of a day or month that has not been seeded. Places
 * in flight elsewhere are not known to end, so none are taken.
 */
export function seedWith(count: Count, nowUs: number, used: number): void {
  if (count.kind === 'rate' && isIdle(count, nowUs)) {
    drain(count.bucket, count.limit, nowUs)
    count.seedDrops = dropsOf(count.limit, used)
    count.seededAtUs = nowUs
    add(count.bucket, count.seedDrops)
  } else if (count.kind === 'period' && count.seed === null) {
    count.used += used
    count.seed = used
  }
}

/**
 * What of its level was added here; from then on it counts as seed. A rate has drained the seed first. None for places in
 * flight, which are taken elsewhere by those who hold them.
 */
export function takeOwnOf(count: Count, nowUs: number): number {
  switch (count.kind) {
    case 'rate': {
      const drainedDrops = Math.max(0, nowUs - count.seededAtUs) * count.limit.size
      const level = levelAt(count.bucket, count.limit, nowUs)
      const own = usedOf(count.limit, Math.max(0, level - Math.max(0, count.seedDrops - drainedDrops)))
      count.seedDrops = level
      count.seededAtUs = nowUs
      return own
    }
    case 'period': {
      const own = Math.max(0, count.used - (count.seed ?? 0))
      count.seed = count.used
      return own
    }
    case 'flight':
      return 0
    default:
      return count satisfies never
  }
}
