/** What the invoices of open months would have: worked out from sums of usage, what was billed before, and credits. */
import type { ISql, PendingQuery, Row } from 'postgres'

/** In the place of a credit's id. */
export const noCredit = '00000000-0000-0000-0000-000000000000'

/**
 * That a line `l` is of a credit, in the words of the index over those lines: it is written out, since the database cannot know
 * of a parameter that it is what the index leaves out.
 */
export const isOfCredit = (sql: ISql): PendingQuery<Row[]> => sql`l.credit_id <> ${sql.unsafe(`'${noCredit}'`)}`

export const lineColumns = [
  ...['account_id', 'credit_id', 'usage_month', 'model', 'price_version', 'requests', 'estimated', 'input_tokens'],
  ...['cached_input_tokens', 'output_tokens', 'backend_us', 'amount_nano_usd', 'price', 'reason'],
].join(', ')

const quantities = ['requests', 'estimated', 'input_tokens', 'cached_input_tokens', 'output_tokens', 'backend_us']

/**
 * The part of a statement that is called `horizon`: the last month that was closed and the one that is next. Before the first
 * that is the earliest that has usage, or the one that `nowMs` is in.
 */
export const horizonAt = (sql: ISql, nowMs: number): PendingQuery<Row[]> => sql`
    horizon as materialized (
      select max(month) as closed,
             coalesce((max(month) at time zone 'UTC' + interval '1 month') at time zone 'UTC',
                      least((select min(period) from usage_monthly_totals),
                            date_trunc('month', ${new Date(nowMs)}::timestamptz, 'UTC'))) as next
      from billing_months
    )`

/**
 * The parts of a statement that lines of an open month are worked out from: `horizon`, and `due`, the months whose usage is
 * billed with it, and none where it is closed.
 *
 * The month that is next has more than its own usage: all that came in late, and all credits that are on no invoice. Late is
 * what the sums of a month have beyond what was billed of it, so nothing is billed twice whatever is billed when.
 */
export const dueAt = (
  sql: ISql,
  { monthMs, nowMs }: { readonly monthMs: number; readonly nowMs: number },
): PendingQuery<Row[]> => {
  const month = sql`${new Date(monthMs)}::timestamptz`
  return sql`
    ${horizonAt(sql, nowMs)},
    due as materialized (
      select used.period as usage_month
      from (
        select period, sum(requests) as requests from usage_monthly_totals where period <= ${month} group by period
      ) as used
      left join (
        select usage_month, sum(requests) as requests from billed_usage group by usage_month
      ) as billed on billed.usage_month = used.period
      cross join horizon
      where ${month} >= next and used.requests > coalesce(billed.requests, 0)
        and (used.period = ${month} or next = ${month})
    )`
}

/** The lines of an open month, by `dueAt`, for all accounts whose `account_id` is as `whose` says. */
export const openLines = (sql: ISql, monthMs: number, whose: PendingQuery<Row[]>): PendingQuery<Row[]> => {
  const month = sql`${new Date(monthMs)}::timestamptz`
  // Arrays are known before the plan begins, which then goes by the index.
  const due = sql`any (array(select usage_month from due))`
  // Known before as well: nothing is read for it where nothing is due.
  const isDue = sql`(select count(*) > 0 from due)`
  return sql`
      select account_id, ${noCredit}::uuid as credit_id, usage_month, used.model, price_version,
             ${sql.unsafe(quantities.join(', '))}, amount_nano_usd, price, null::text as reason
      from (
        select usage_month, account_id, model, price_version, sum(amount_nano_usd) as amount_nano_usd,
               ${sql.unsafe(quantities.map(name => `sum(${name}) as ${name}`).join(', '))}
        from (
          select period as usage_month, account_id, model, price_version, cost_nano_usd as amount_nano_usd,
                 ${sql.unsafe(quantities.join(', '))}
          from usage_monthly join usage_series on id = series
          where ${isDue} and period = ${due} and ${whose}
          union all
          select usage_month, account_id, model, price_version, -amount_nano_usd,
                 ${sql.unsafe(quantities.map(name => `-${name}`).join(', '))}
          from invoice_lines
          where ${isDue} and credit_id = ${noCredit} and usage_month = ${due} and ${whose}
        ) as sides
        group by usage_month, account_id, model, price_version
        having sum(requests) > 0
      ) as used
      left join price_versions on version = price_version collate "default"
      union all
      select account_id, c.id, coalesce(month, ${month}), '', '', 0, 0, 0, 0, 0, 0, -amount_nano_usd, null, reason
      from billing_credits c cross join horizon
      where next = ${month} and ${whose}
        and not exists (select from invoice_lines l where l.credit_id = c.id and ${isOfCredit(sql)})`
}

/** So many sums for each line of a page have to be there for accounts to be worth looking up one by one. */
const sumsPerLine = 20

/**
 * The parts of a statement, `with recursive`, by which a page of the lines of all accounts, from `from` on, costs what is on it:
 * `page_lines`, all lines of as many accounts as have `limit` of them, or more than that. Of a closed month there is none.
 *
 * Accounts are looked up one after the other where many of them have used something in the month. In a month that has just begun
 * nearly all would be looked up in vain, and what there is of it is soon added up.
 */
export const pageLines = (
  sql: ISql,
  monthMs: number,
  { from, limit }: { readonly from: string | null; readonly limit: number },
): PendingQuery<Row[]> => {
  const month = sql`${new Date(monthMs)}::timestamptz`
  const least = limit * sumsPerLine
  const next = (table: string) =>
    sql`(select account_id from ${sql(table)} where account_id > t.account_id order by account_id limit 1)`
  const inTurn = sql`account_id = any (array(select account_id from turns))`
  const atOnce = sql`account_id >= ${from ?? noCredit}::uuid and not (select has_many from dense)`
  return sql`
    dense as materialized (
      select count(*) = ${least} as has_many
      from (select from usage_monthly where period = any (array(select usage_month from due where usage_month = ${month}))
            limit ${least}) as sums
    ),
    turns (account_id, lines) as (
      select ${from ?? noCredit}::uuid, 0::bigint from dense where has_many
      union all
      select coming.account_id, t.lines + owed.lines
      from turns t
      cross join lateral (select least(${next('usage_series')}, ${next('billing_credits')}) as account_id) as coming
      cross join lateral (
        select count(*) as lines from (${openLines(sql, monthMs, sql`account_id = coming.account_id`)}) as open
      ) as owed
      where t.lines < ${limit} and coming.account_id is not null
    ),
    page_lines as materialized (
      (${openLines(sql, monthMs, inTurn)}) union all (${openLines(sql, monthMs, atOnce)})
    )`
}
