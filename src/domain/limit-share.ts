/** One replica's part of the limits, for the time without the store that all replicas share. */
import type { Limit, LimitSet } from './limit.ts'

/** A replica's place among those that live: `rank` counts from 0. */
export interface Place {
  readonly rank: number
  readonly count: number
}

/** A whole part of `total`. The parts of all ranks add up to it exactly, so that even a limit of 1 is served by somebody. */
export function shareOf(total: number, { rank, count }: Place): number {
  const least = Math.floor(total / count)
  return least + (rank < total - least * count ? 1 : 0)
}

/** The same limits in this replica's size. */
export function shareLimits(set: LimitSet, place: Place): LimitSet {
  return { ...set, limits: set.limits.map(limit => shareLimit(limit, place)) }
}

function shareLimit(limit: Limit, place: Place): Limit {
  const size = shareOf(limit.size, place)
  return limit.kind === 'rate' ? { ...limit, size, capacity: shareOf(limit.capacity, place) } : { ...limit, size }
}
