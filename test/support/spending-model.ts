/** What accounts and keys have used by the day and month, as a list of events has it and as the ledger does. */
import type { Sql } from 'postgres'
import { periodAt } from '../../src/domain/calendar.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'

/** Tokens and cost by account, key and period, and the tiers of requests without a key. */
export interface SpendingTold {
  readonly sums: ReadonlyMap<string, readonly [tokens: bigint, nanoUsd: bigint]>
  readonly tiers: ReadonlySet<string>
}

export async function readSpending(sql: Sql): Promise<SpendingTold> {
  const sums = await sql<{ name: string; tokens: string; cost: string }[]>`
    select concat_ws(' ', account_id, key_id, unit, to_char(period at time zone 'UTC', 'YYYY-MM-DD"T"HH24')) as name,
           tokens::text, cost_nano_usd::text as cost
    from usage_spending`
  const tiers = await sql<{ name: string }[]>`
    select concat_ws(' ', account_id, to_char(day at time zone 'UTC', 'YYYY-MM-DD"T"HH24'), tier) as name
    from usage_token_tiers`
  return {
    sums: new Map(sums.map(({ name, tokens, cost }) => [name, [BigInt(tokens), BigInt(cost)]])),
    tiers: new Set(tiers.map(({ name }) => name)),
  }
}

/** `events` are distinct. */
export function modelOfSpending(events: readonly UsageEvent[]): SpendingTold {
  const sums = new Map<string, readonly [bigint, bigint]>()
  const tiers = new Set<string>()
  for (const { accountId, keyId, tier, atMs, inputTokens, outputTokens, costNanoUsd } of events) {
    const hourOf = (unit: 'day' | 'month') =>
      new Date(periodAt(unit, atMs * 1000).fromUs / 1000).toISOString().slice(0, 13)
    for (const owner of keyId === null ? [''] : ['', keyId]) {
      for (const unit of ['day', 'month'] as const) {
        const name = [accountId, owner, unit, hourOf(unit)].join(' ')
        const [tokens, cost] = sums.get(name) ?? [0n, 0n]
        sums.set(name, [tokens + BigInt(inputTokens) + BigInt(outputTokens), cost + BigInt(costNanoUsd)])
      }
    }
    if (keyId === null) tiers.add([accountId, hourOf('day'), tier].join(' '))
  }
  return { sums, tiers }
}
