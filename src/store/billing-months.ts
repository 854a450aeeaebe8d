/** Months as they are closed. */
import type { ISql } from 'postgres'
import { endOfMonth, monthName } from '../domain/billing-month.ts'
import { type Author, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'
import { dueAt, horizonAt, lineColumns, openLines } from './open-lines.ts'

export interface ClosedMonth {
  readonly monthMs: number
  readonly closedAt: Date
  readonly invoices: number
  readonly lines: number
  readonly totalNanoUsd: bigint
}

interface ClosedMonthRow {
  readonly closedAt: Date
  readonly invoices: number
  readonly lines: number
  readonly total: string
}

export async function findClosedMonth(sql: ISql, monthMs: number): Promise<ClosedMonth | null> {
  const month = new Date(monthMs)
  const [row] = await withDeadline(sql<ClosedMonthRow[]>`
    select closed_at as "closedAt", invoices, lines, total::text as total
    from billing_months m,
         lateral (select count(*)::integer as invoices from invoices where month = m.month) as made,
         lateral (
           select count(*)::integer as lines, coalesce(sum(amount_nano_usd), 0) as total
           from invoice_lines where month = m.month
         ) as written
    where m.month = ${month}`)
  if (row === undefined) return null
  const { total, ...counts } = row
  return { monthMs, ...counts, totalNanoUsd: BigInt(total) }
}

/** The month that is to be closed next. */
export async function getNextMonth(sql: ISql, nowMs: number): Promise<number> {
  const [row] = await withDeadline(sql<[{ next: Date }]>`with ${horizonAt(sql, nowMs)} select next from horizon`)
  return row.next.getTime()
}

/** A month that is billed, and what became of it. */
export interface BilledMonth {
  readonly monthMs: number
  /** Null while it is open. */
  readonly closed: {
    readonly at: Date
    readonly by: Omit<Author, 'requestId'> | null
    readonly invoices: number
  } | null
}

interface BilledMonthRow {
  readonly month: Date
  readonly closedAt: Date | null
  readonly invoices: number
  readonly kind: Author['kind'] | null
  readonly id: string | null
  readonly account: string | null
}

/**
 * All months that are closed, and those from the one that is next to the one that `nowMs` is in; newest first, `limit` at most,
 * of those before `beforeMs`.
 */
export async function listMonths(
  sql: ISql,
  nowMs: number,
  { limit, beforeMs }: { limit: number; beforeMs: number | null },
): Promise<readonly BilledMonth[]> {
  // Invoices are numbered without gaps, so the last number is their count.
  const rows = await withDeadline(sql<BilledMonthRow[]>`
    with ${horizonAt(sql, nowMs)},
    months as (
      select month, closed_at from billing_months
      union all
      select month at time zone 'UTC', null
      from horizon, generate_series(next at time zone 'UTC', ${new Date(nowMs)}::timestamptz at time zone 'UTC',
                                    interval '1 month') as month
    )
    select month, closed_at as "closedAt",
           coalesce((select max(sequence) from invoices i where i.month = m.month), 0) as invoices,
           actor_kind as kind, actor_id as id, actor_account as account
    from months m
    left join lateral (
      select actor_kind, actor_id, actor_account from audit_log
      where target_id = to_char(month at time zone 'UTC', 'YYYY-MM') and action = 'billing_month.close' and at = closed_at
      limit 1
    ) as closing on closed_at is not null
    where true ${beforeMs === null ? sql`` : sql`and month < ${new Date(beforeMs)}::timestamptz`}
    order by month desc
    limit ${limit}`)
  return rows.map(({ month, closedAt, invoices, kind, ...who }) => {
    const by = kind === null ? null : { kind, ...who }
    return { monthMs: month.getTime(), closed: closedAt === null ? null : { at: closedAt, by, invoices } }
  })
}

/** Writing down hundreds of thousands of lines takes that long. */
const closingTimeoutMs = 60_000

/**
 * Closes the month that is next; `stale` where it is another one, where somebody else has just closed it, or where by the clock
 * of the database it is not over.
 */
export async function closeMonth(
  sql: ISql,
  { monthMs, nowMs }: { monthMs: number; nowMs: number },
  author: Author,
): Promise<ChangeOutcome> {
  const now = new Date(nowMs)
  const after = { object: 'billing_month', month: monthName(monthMs), status: 'closed', closed_at: now.toISOString() }
  const changes = [
    { action: 'billing_month.close', targetId: monthName(monthMs), at: now, before: null, after },
  ] as const
  const statement = sql`
    with ${dueAt(sql, { monthMs, nowMs })},
    closing as (
      insert into billing_months (month, follows, closed_at)
      select next, closed, ${now} from horizon
      where next = ${new Date(monthMs)} and now() >= ${new Date(endOfMonth(monthMs))}
      -- Either because it is closed, or because another one has been closed after the same month.
      on conflict do nothing
      returning month
    ),
    lines as materialized (${openLines(sql, monthMs, sql`true`)}),
    made as (
      insert into invoices (month, account_id, sequence, account_name)
      select month, account_id, row_number() over (order by account_id),
             (select name from accounts where id = account_id)
      from closing, (select distinct account_id from lines) as owing
      returning account_id
    ),
    written as (
      insert into invoice_lines (month, ${sql.unsafe(lineColumns)})
      select month, ${sql.unsafe(lineColumns)} from closing, lines
      returning account_id
    ),
    billed as (
      insert into billed_usage (month, usage_month, requests)
      select month, usage_month, sum(requests) from closing, lines where requests > 0 group by month, usage_month
      returning month
    ),
    logged as (
      ${writeAudit(sql, { author, changes, done: sql`select ${monthName(monthMs)}::text from closing` })}
      returning id
    )
    select (select count(*) from made) as made, (select count(*) from written) as written,
           (select count(*) from billed) as billed, (select count(*) from logged) as logged
    from closing`
  return await outcomeOf(statement, closingTimeoutMs)
}
