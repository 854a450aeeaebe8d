/** When so much of a quota or a spend limit is used that somebody wants to know. */
import type { PeriodLimit } from './limit.ts'

/**
 * Those of `percents` that `used` has reached, of a limit of `size` in the same unit. Whole numbers and no division: 80 % of
 * 3 is reached at 3. Of a limit of 0, which lets nothing in, none is ever reached.
 */
export function reachedPercents(used: bigint, size: number, percents: readonly number[]): readonly number[] {
  if (size <= 0) return []
  return percents.filter(percent => used * 100n >= BigInt(size) * BigInt(percent))
}

/** What was used in the day and in the month that a limit is looked at for. */
export interface PeriodUse {
  readonly dayNanoUsd: bigint
  readonly monthNanoUsd: bigint
  readonly monthTokens: bigint
}

/** What of it counts under a limit. */
export function usedUnder({ unit, period }: PeriodLimit, use: PeriodUse): bigint {
  if (unit === 'tokens') return use.monthTokens
  return period === 'day' ? use.dayNanoUsd : use.monthNanoUsd
}
