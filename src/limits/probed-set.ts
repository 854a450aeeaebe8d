import type { LimitSet } from '../domain/limit.ts'

/**
 * Limits of nobody, one of each kind, to find out whether the store does all that limits need: what its users may do is set
 * command by command.
 */
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
      size: 1_000_000,
      capacity: 1_000_000,
      periodMs: 60_000,
    },
    {
      kind: 'period',
      name: 'tokens_per_month',
      of: 'account',
      unit: 'tokens',
      size: 1_000_000_000,
      period: 'month',
    },
    { kind: 'flight', name: 'requests_in_flight', of: 'account', unit: 'requests', size: 1_000_000 },
  ],
}
