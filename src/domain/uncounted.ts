/** The days and months that a caller has no limit of: what it uses of them is counted where somebody else has one. */
import { periodAt } from './calendar.ts'
import { type Amounts, amountFor, type Limit, type LimitOwner, type LimitSet, type PeriodLimit } from './limit.ts'

const kinds = [
  { name: 'tokens_per_month', unit: 'tokens', period: 'month' },
  { name: 'spend_per_day', unit: 'nanoUsd', period: 'day' },
  { name: 'spend_per_month', unit: 'nanoUsd', period: 'month' },
] as const satisfies readonly Pick<PeriodLimit, 'name' | 'unit' | 'period'>[]

const known = new WeakMap<LimitSet, LimitSet>()

/** Those of `set`'s account, and of its key where there is one, that are not among its limits. Of a size nobody reaches. */
export function uncountedOf(set: LimitSet): LimitSet {
  let made = known.get(set)
  if (made === undefined) {
    made = { ...set, limits: complementOf(set), fingerprint: `uncounted by ${set.fingerprint}` }
    known.set(set, made)
  }
  return made
}

function complementOf({ keyId, limits }: LimitSet): readonly PeriodLimit[] {
  const owners: readonly LimitOwner[] = keyId === null ? ['account'] : ['account', 'key']
  const has = (owner: LimitOwner, name: string) => limits.some(limit => limit.of === owner && limit.name === name)
  return owners.flatMap(of =>
    kinds
      .filter(({ name }) => !has(of, name))
      .map(kind => ({ kind: 'period', of, size: Number.MAX_SAFE_INTEGER, ...kind }) as const),
  )
}

/**
 * What of `used` counts for each limit of `uncounted` at `nowUs`, in their order: nothing where the request began in a day
 * or month that is over. Microseconds since 1970.
 */
export function uncountedAmounts(
  uncounted: LimitSet,
  used: Amounts,
  { startedUs, nowUs }: { readonly startedUs: number; readonly nowUs: number },
): readonly number[] {
  // Nearly always, and a month begins with one of its days.
  const isToday = startedUs >= periodAt('day', nowUs).fromUs
  const counts = (limit: Limit) =>
    isToday || (limit.kind === 'period' && startedUs >= periodAt(limit.period, nowUs).fromUs)
  return uncounted.limits.map(limit => (counts(limit) ? amountFor(limit, used) : 0))
}
