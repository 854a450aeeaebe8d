/** What callers have used of what they may in a day or month. */
import type { ISql } from 'postgres'
import { withDeadline } from './deadline.ts'

export interface SpentQuestion {
  readonly accountId: string
  /** Null: of the whole account. */
  readonly keyId: string | null
  readonly unit: 'day' | 'month'
  /** When it began, UTC. */
  readonly from: Date
  /** Requests that are not to be counted, by the ids they have in answers. */
  readonly except: readonly string[]
  /** None of them came in before. */
  readonly exceptFrom: Date
}

export interface Spent {
  /** Of input and output. */
  readonly tokens: bigint
  readonly nanoUsd: bigint
}

/** No request lasts longer, whatever is said of when it came in. */
const longest = '1 day'

/** By what has been stored so far. One statement, so that what is excepted is in the sum if and only if it is taken off. */
export async function findSpent(sql: ISql, question: SpentQuestion): Promise<Spent> {
  const { accountId, keyId, unit, from, except, exceptFrom } = question
  const ofKey = keyId === null ? sql`` : sql`and key_id = ${keyId}`
  // With an end, though next to nothing is from the future: the database takes a time without one for a third of all there is.
  const excepted = sql`
    union all
    select -(input_tokens + output_tokens), -cost_nano_usd from usage_events
    where account_id = ${accountId}::uuid ${ofKey}
      and at between greatest(${from}, ${exceptFrom}, now() - ${longest}::interval) and now() + ${longest}::interval
      and request_id in (select jsonb_array_elements_text(${sql.json(except)}))`
  const [row] = await withDeadline(sql<[{ tokens: string; nanoUsd: string }]>`
    select coalesce(sum(tokens), 0)::text as tokens, coalesce(sum(nano_usd), 0)::text as "nanoUsd"
    from (
      select tokens, cost_nano_usd as nano_usd from usage_spending
      where account_id = ${accountId}::uuid and key_id = ${keyId ?? ''} and unit = ${unit} and period = ${from}
      ${except.length === 0 ? sql`` : excepted}
    ) as used`)
  return { tokens: BigInt(row.tokens), nanoUsd: BigInt(row.nanoUsd) }
}
