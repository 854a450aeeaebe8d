/** What accounts and keys have used in calendar periods, beside the limits that they have of their own. */
import type { ISql } from 'postgres'
import type { PeriodUse } from '../domain/threshold.ts'
import type { KeyLimits, Limits } from '../schemas/admin/limits.ts'
import { withDeadline } from './deadline.ts'

/** An account, or one of its keys, on a day and in the month of that day. */
export interface Spender {
  readonly accountId: string
  /** Null: the account with all its keys. */
  readonly keyId: string | null
  /** The tier by which the limits of its account are asked for; null for the account's own. */
  readonly tier: string | null
  /** The beginning of the day, UTC, in milliseconds. */
  readonly dayMs: number
}

export interface Spending extends Omit<Spender, 'tier'>, PeriodUse {
  readonly accountName: string
  readonly tier: string
  readonly accountLimits: Limits
  /** Empty for accounts. */
  readonly keyLimits: KeyLimits
}

type SpendingRow = Omit<Spending, 'dayMs' | keyof PeriodUse> & {
  readonly day: Date
  readonly dayNanoUsd: string
  readonly monthNanoUsd: string
  readonly monthTokens: string
}

const timeoutMs = 10_000
const periodLimits = ['tokens_per_month', 'spend_per_day', 'spend_per_month'] as const
/** Whether a column of limits has one of these. */
const hasPeriodLimit = (column: string) => `(${periodLimits.map(name => `${column} ? '${name}'`).join(' or ')})`

/**
 * Of those that have a limit per day or month: accounts by a tier of `limitedTiers` or by themselves, keys by themselves. Each
 * costs two rows of the sums, whatever its account has used apart from each other.
 */
export async function spendingOf(
  sql: ISql,
  spenders: readonly Spender[],
  limitedTiers: readonly string[],
): Promise<readonly Spending[]> {
  const asked = spenders.map(({ accountId, keyId, tier, dayMs }) => ({
    account_id: accountId,
    key_id: keyId,
    tier,
    day: new Date(dayMs).toISOString(),
  }))
  const rows = await withDeadline(
    sql<SpendingRow[]>`
      select s.account_id as "accountId", s.key_id as "keyId", s.day, a.name as "accountName",
             coalesce(s.tier, a.tier) as tier, a.limits as "accountLimits", coalesce(k.limits, '{}') as "keyLimits",
             coalesce(d.cost_nano_usd, 0)::text as "dayNanoUsd", coalesce(m.cost_nano_usd, 0)::text as "monthNanoUsd",
             coalesce(m.tokens, 0)::text as "monthTokens"
      from jsonb_to_recordset(${sql.json(asked)}) as s (account_id uuid, key_id text, tier text, day timestamptz)
      join accounts a on a.id = s.account_id
      left join api_keys k on k.public_id = s.key_id and k.account_id = s.account_id
      left join usage_spending d
        on d.account_id = s.account_id and d.key_id = coalesce(s.key_id, '') and d.unit = 'day' and d.period = s.day
      left join usage_spending m
        on m.account_id = s.account_id and m.key_id = coalesce(s.key_id, '') and m.unit = 'month'
           and m.period = date_trunc('month', s.day, 'UTC')
      where case
        when s.key_id is not null then ${sql.unsafe(hasPeriodLimit('k.limits'))}
        else ${sql.unsafe(hasPeriodLimit('a.limits'))}
             or ${sql.json([...limitedTiers])}::jsonb ? coalesce(s.tier, a.tier)
      end`,
    timeoutMs,
  )
  return rows.map(({ day, dayNanoUsd, monthNanoUsd, monthTokens, ...row }) => ({
    ...row,
    dayMs: day.getTime(),
    dayNanoUsd: BigInt(dayNanoUsd),
    monthNanoUsd: BigInt(monthNanoUsd),
    monthTokens: BigInt(monthTokens),
  }))
}

/** Accounts that are not deleted, by id, `limit` at most, of those behind `after`. */
export async function pageOfAccountIds(sql: ISql, after: string | null, limit: number): Promise<readonly string[]> {
  const rows = await withDeadline(sql<{ id: string }[]>`
    select id from accounts
    where deleted_at is null ${after === null ? sql`` : sql`and id > ${after}::uuid`}
    order by id limit ${limit}`)
  return rows.map(({ id }) => id)
}

/** Keys that have a limit per day or month of their own, by id, `limit` at most, of those behind `after`. */
export async function pageOfLimitedKeys(
  sql: ISql,
  after: string | null,
  limit: number,
): Promise<readonly Pick<Spender, 'accountId' | 'keyId'>[]> {
  return await withDeadline(
    sql<{ accountId: string; keyId: string }[]>`
      select account_id as "accountId", public_id as "keyId" from api_keys
      where ${sql.unsafe(hasPeriodLimit('limits'))} ${after === null ? sql`` : sql`and public_id > ${after}`}
      order by public_id limit ${limit}`,
    timeoutMs,
  )
}

/** The tiers of requests without a key since the day that begins at `sinceMs`, of these accounts. */
export async function tiersOfTokens(
  sql: ISql,
  accountIds: readonly string[],
  sinceMs: number,
): Promise<readonly { readonly accountId: string; readonly tier: string }[]> {
  return await withDeadline(
    sql<{ accountId: string; tier: string }[]>`
      select distinct account_id as "accountId", tier from usage_token_tiers
      where day >= ${new Date(sinceMs)} and account_id in (
        select value::uuid from jsonb_array_elements_text(${sql.json([...accountIds])})
      )`,
    timeoutMs,
  )
}
