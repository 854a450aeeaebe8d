import type { LimitSet } from '../domain/limit.ts'

/** Limits of nobody, to find out whether the store can say anything of limits. */
export const probedSet: LimitSet = {
  accountId: 'probe',
  keyId: null,
  tier: '',
  fingerprint: 'probe',
  limits: [
    {
      kind: 'rate',
      name: 'requests_per_minute',
      of: 'account',
      unit: 'requests',
      size: 1,
      capacity: 1,
      periodMs: 60_000,
    },
  ],
}
