/** Limits as tests need them. */
import type { FlightLimit, Limit, LimitSet, PeriodLimit, RateLimit } from '../../src/domain/limit.ts'

export const rate = (changes: Partial<RateLimit> = {}): RateLimit => {
  const size = changes.size ?? 60
  return {
    kind: 'rate',
    name: 'requests_per_minute',
    of: 'account',
    unit: 'requests',
    periodMs: 60_000,
    capacity: size,
    ...changes,
    size,
  }
}

export const tokenRate = (changes: Partial<RateLimit> = {}): RateLimit =>
  rate({ name: 'tokens_per_minute', unit: 'tokens', size: 1000, ...changes })

export const quota = (changes: Partial<PeriodLimit> = {}): PeriodLimit => ({
  kind: 'period',
  name: 'tokens_per_month',
  of: 'account',
  unit: 'tokens',
  period: 'month',
  size: 1000,
  ...changes,
})

export const spendLimit = (changes: Partial<PeriodLimit> = {}): PeriodLimit =>
  quota({ name: 'spend_per_day', unit: 'nanoUsd', period: 'day', size: 1_000_000_000, ...changes })

export const flight = (changes: Partial<FlightLimit> = {}): FlightLimit => ({
  kind: 'flight',
  name: 'requests_in_flight',
  of: 'account',
  unit: 'requests',
  size: 2,
  ...changes,
})

let sets = 0

/** Of an account of its own unless `changes` say. */
export function limitSet(limits: readonly Limit[], changes: Partial<LimitSet> = {}): LimitSet {
  const accountId = changes.accountId ?? `account-${++sets}-${process.pid}`
  return {
    accountId,
    keyId: null,
    tier: 'free',
    limits,
    fingerprint: `${accountId} ${changes.keyId ?? ''} ${JSON.stringify(limits)}`,
    ...changes,
  }
}
