import type {
  FlightLimit,
  Limit,
  LimitName,
  LimitOwner,
  LimitSet,
  PeriodLimit,
  RateLimit,
} from '../../src/domain/limit.ts'

const minuteMs = 60_000

export function rateLimit(size: number, more: Partial<RateLimit> = {}): RateLimit {
  const base = { name: 'tokens_per_minute', of: 'account', kind: 'rate', unit: 'tokens', periodMs: minuteMs } as const
  return { ...base, size, capacity: size, ...more }
}

/** Of a rate without refill everything can be said exactly, whatever the time that a test takes. */
export const fixedRate = (capacity: number, more: Partial<RateLimit> = {}) => rateLimit(0, { capacity, ...more })

export function periodLimit(size: number, more: Partial<PeriodLimit> = {}): PeriodLimit {
  const base = { name: 'spend_per_month', of: 'account', kind: 'period', unit: 'nanoUsd', period: 'month' } as const
  return { ...base, size, ...more }
}

export function flightLimit(size: number, of: LimitOwner = 'account'): FlightLimit {
  return { name: 'requests_in_flight' satisfies LimitName, of, kind: 'flight', unit: 'requests', size }
}

let sets = 0

/** Of an account of its own, unless one is named. */
export function limitSet(limits: readonly Limit[], who: Partial<LimitSet> = {}): LimitSet {
  sets += 1
  const accountId = who.accountId ?? `account-${sets}`
  return { accountId, keyId: null, tier: 'default', limits, fingerprint: `limits-${sets}`, ...who }
}

/** The common ones, each of a size that is easy to reckon with. */
export const rate = (more: Partial<RateLimit> = {}): RateLimit =>
  rateLimit(more.size ?? 60, { name: 'requests_per_minute', unit: 'requests', ...more })

export const tokenRate = (more: Partial<RateLimit> = {}): RateLimit => rateLimit(more.size ?? 1000, more)

export const quota = (more: Partial<PeriodLimit> = {}): PeriodLimit =>
  periodLimit(1000, { name: 'tokens_per_month', unit: 'tokens', ...more })

export const spendLimit = (more: Partial<PeriodLimit> = {}): PeriodLimit =>
  periodLimit(1_000_000_000, { name: 'spend_per_day', period: 'day', ...more })

export const flight = (size = 2): FlightLimit => flightLimit(size)
