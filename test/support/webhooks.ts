import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { type ClaimedDelivery, claimDeliveries, type NewDelivery } from '../../src/store/webhook-deliveries.ts'

/** One that has not been put in before where `changes` say what tells it apart. */
export function newDelivery(changes: Partial<NewDelivery> = {}): NewDelivery {
  const id = makeTimeOrderedId(Date.now())
  return {
    id,
    webhook: 'ops',
    accountId: defaultAccount.id,
    keyId: null,
    limit: 'spend_per_month',
    period: '2026-11',
    periodEnds: new Date('2026-12-01'),
    percent: 50,
    size: 1000,
    body: JSON.stringify({
      id,
      type: 'limit.threshold',
      created_at: '2026-11-24T10:00:00.000Z',
      account: { id: defaultAccount.id, name: 'default' },
      key: null,
      limit: 'spend_per_month',
      period: '2026-11',
      threshold_percent: 50,
      used: '0.0000005',
      size: '0.000001',
      unit: 'usd',
    }),
    ...changes,
  }
}

/** As many as are due, for a minute. */
export async function claimAll(sql: Sql, room = 1000, leaseMs = 60_000): Promise<readonly ClaimedDelivery[]> {
  return [...(await claimDeliveries(sql, [{ webhook: 'ops', room }], leaseMs))]
}
