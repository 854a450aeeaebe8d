/** What the counts of a caller are called in a store: by the account, the key where it is the key's own, and the period. */
import { type Period, periodAt } from './calendar.ts'
import type { LimitSet } from './limit.ts'

export interface CountKeys {
  /** In the order of `set.limits`; each is the account's in the braces that Redis Cluster goes by, and a name. */
  readonly keys: readonly string[]
  /** The day or month of each limit that has one. */
  readonly periods: readonly (Period | null)[]
  /** The keys are the same from here until there, in microseconds. */
  readonly fromUs: number
  readonly untilUs: number
}

/** Of the days and months that `momentUs` is in. */
function makeCountKeys({ accountId, keyId, limits }: LimitSet, momentUs: number): CountKeys {
  const periods = limits.map(limit => (limit.kind === 'period' ? periodAt(limit.period, momentUs) : null))
  const keys = limits.map(({ name, of }, index) => {
    const parts = [`weir:{${accountId}}:limit:${name}`, periods[index]?.id, of === 'key' ? keyId : null]
    return parts.filter(part => typeof part === 'string').join(':')
  })
  const fromUs = Math.max(...periods.map(period => period?.fromUs ?? Number.NEGATIVE_INFINITY))
  const untilUs = Math.min(...periods.map(period => period?.untilUs ?? Number.POSITIVE_INFINITY))
  return { keys, periods, fromUs, untilUs }
}

/**
 * Returns what `make` makes of the keys of a set at a moment, remembered for as long as the set and its days and months
 * last.
 */
export function rememberByPeriod<Made>(make: (keys: CountKeys, set: LimitSet) => Made) {
  const known = new WeakMap<LimitSet, { keys: CountKeys; made: Made }>()
  return (set: LimitSet, momentUs: number): Made => {
    const last = known.get(set)
    if (last !== undefined && momentUs >= last.keys.fromUs && momentUs < last.keys.untilUs) return last.made
    const keys = makeCountKeys(set, momentUs)
    const made = make(keys, set)
    // A settlement for a day that is over must not push out today's.
    if (last === undefined || keys.fromUs > last.keys.fromUs) known.set(set, { keys, made })
    return made
  }
}
