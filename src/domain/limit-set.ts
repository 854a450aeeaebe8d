/** Which limits hold for a caller: its account's, which are the tier's but for its own, and beside them the key's own. */
import { hash } from 'node:crypto'
import type { KeyLimits, Limits } from '../schemas/admin/limits.ts'
import { overlayLimits } from './authority.ts'
import type { Limit, LimitName, LimitOwner, LimitSet } from './limit.ts'
import { parseUsd } from './money.ts'
import { limitsOfTier, type TierLimits } from './tier-limits.ts'

export interface LimitSources {
  readonly accountId: string
  /** Null where it is not a key that calls. */
  readonly keyId: string | null
  /** Its name. */
  readonly tier: string
  /** Of that tier; undefined where the configuration does not have it, or where it is not to count. */
  readonly tierLimits: TierLimits | undefined
  /** Null is unlimited, absent is the tier's. */
  readonly accountLimits: Limits
  /** They hold beside the account's, so that the tighter one wins. */
  readonly keyLimits: KeyLimits
}

const minuteMs = 60_000
const dayMs = 86_400_000

/** The account's limits, then the key's, each in the order of LimitName. Frozen through and through. */
export function buildLimitSet(sources: LimitSources): LimitSet {
  const { accountId, keyId, tier, tierLimits, accountLimits, keyLimits } = sources
  // A tier's burst belongs to the tier's own rate: who has been given another one saves up that.
  const burst = accountLimits.requests_per_minute === undefined ? tierLimits?.limits.burst : undefined
  const limits = [
    ...limitsOf('account', overlayLimits(limitsOfTier(tierLimits), accountLimits), burst),
    ...limitsOf('key', keyLimits, undefined),
  ]
  return Object.freeze<LimitSet>({
    accountId,
    keyId,
    tier,
    limits: Object.freeze(limits.map(limit => Object.freeze(limit))),
    fingerprint: hash('sha256', JSON.stringify([accountId, keyId, tier, limits]), 'base64url').slice(0, 22),
  })
}

const names: readonly LimitName[] = [
  'requests_per_minute',
  'tokens_per_minute',
  'requests_per_day',
  'tokens_per_day',
  'requests_in_flight',
  'tokens_per_month',
  'spend_per_day',
  'spend_per_month',
]

function limitsOf(owner: LimitOwner, limits: Limits, burst: number | undefined): readonly Limit[] {
  return names.flatMap(name => {
    const bound = limits[name] ?? null
    if (bound === null) return []
    const size = typeof bound === 'string' ? parseUsd(bound) : bound
    return [limitOf(name, { of: owner, size }, burst)]
  })
}

function limitOf(name: LimitName, base: Pick<Limit, 'of' | 'size'>, burst: number | undefined): Limit {
  const { size } = base
  switch (name) {
    case 'requests_per_minute': {
      // Where nothing is refilled, a burst would be let through once and never again.
      const capacity = size === 0 ? 0 : (burst ?? size)
      return { ...base, name, kind: 'rate', unit: 'requests', capacity, periodMs: minuteMs }
    }
    case 'tokens_per_minute':
      return { ...base, name, kind: 'rate', unit: 'tokens', capacity: size, periodMs: minuteMs }
    case 'requests_per_day':
      return { ...base, name, kind: 'rate', unit: 'requests', capacity: size, periodMs: dayMs }
    case 'tokens_per_day':
      return { ...base, name, kind: 'rate', unit: 'tokens', capacity: size, periodMs: dayMs }
    case 'requests_in_flight':
      return { ...base, name, kind: 'flight', unit: 'requests' }
    case 'tokens_per_month':
      return { ...base, name, kind: 'period', unit: 'tokens', period: 'month' }
    case 'spend_per_day':
      return { ...base, name, kind: 'period', unit: 'nanoUsd', period: 'day' }
    case 'spend_per_month':
      return { ...base, name, kind: 'period', unit: 'nanoUsd', period: 'month' }
  }
}

/** How large each limit of each tier is; absent is without limit. */
export type TierLimitSizes = Readonly<Record<string, Readonly<Partial<Record<LimitName, number>>>>>

export function tierLimitSizes(tiers: Readonly<Record<string, TierLimits>>): TierLimitSizes {
  const sizesOf = (tierLimits: TierLimits) =>
    Object.fromEntries(limitsOf('account', limitsOfTier(tierLimits), undefined).map(({ name, size }) => [name, size]))
  return Object.fromEntries(Object.entries(tiers).map(([name, tier]) => [name, sizesOf(tier)]))
}
