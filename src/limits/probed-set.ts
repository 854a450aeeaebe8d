import { randomUUID } from 'node:crypto'
import type { LimitSet } from '../domain/limit.ts'
import type { LimitStore } from '../domain/reservation.ts'

/** Limits of nobody, one of each kind. */
const probedSet: LimitSet = {
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

/** Rejects where the store does not do all that limits need: what its users may do is set command by command. */
export async function probeLimits(store: LimitStore): Promise<void> {
  const each = (amount: number) => probedSet.limits.map(() => amount)
  const verdict = await store.reserve(randomUUID(), probedSet, each(1))
  if (verdict.kind === 'unseeded') await store.seed(probedSet, each(0), verdict.atUs)
  if (verdict.kind === 'admitted') await store.settle(verdict.reservation, each(0))
}
