/**
 * The lines of invoices: as they were written down when their month was closed, or as they would be if it were closed now. Which
 * of both is decided by the snapshot of the one statement that reads them.
 */
import type { ISql } from 'postgres'
import { type InvoiceHead, type InvoiceLine, readUnitPrices } from '../domain/invoice.ts'
import { withDeadline } from './deadline.ts'
import { dueAt, lineColumns, noCredit, openLines, pageLines } from './open-lines.ts'

/** Which lines. */
export interface InvoiceQuestion {
  readonly monthMs: number
  readonly nowMs: number
  /** Null: of all accounts. */
  readonly accountId: string | null
}

/** The place of a line: by account, usage before credits, then by month, model and version of the price. */
export interface LinePosition {
  readonly accountId: string
  readonly creditId: string
  readonly monthMs: number
  readonly model: string
  readonly priceVersion: string
}

export interface InvoiceRow {
  readonly head: InvoiceHead
  readonly line: InvoiceLine
  readonly position: LinePosition
}

interface LineRow {
  readonly account_id: string
  readonly credit_id: string
  readonly usage_month: Date
  readonly model: string
  readonly price_version: string
  readonly requests: string
  readonly estimated: string
  readonly input_tokens: string
  readonly cached_input_tokens: string
  readonly output_tokens: string
  readonly backend_us: string
  readonly amount_nano_usd: string
  readonly price: Readonly<Record<string, unknown>> | null
  readonly reason: string | null
  readonly total: string
  readonly lines: number
  readonly unpriced: string
  readonly closed_at: Date | null
  readonly sequence: number | null
  readonly account_name: string | null
}

const place = ['account_id', 'credit_id', 'usage_month', 'model', 'price_version']

/**
 * Lines, `limit` at most, of those behind the one at `after`, each with the invoice that it is on. What invoices come to is added
 * up of those alone that have a line among them.
 */
export async function listInvoiceLines(
  sql: ISql,
  { monthMs, nowMs, accountId }: InvoiceQuestion,
  { limit, after }: { limit: number; after: LinePosition | null },
): Promise<readonly InvoiceRow[]> {
  const month = sql`${new Date(monthMs)}::timestamptz`
  const behind =
    after === null
      ? sql`true`
      : sql`(${sql.unsafe(place.join(', '))}) > (${after.accountId}::uuid, ${after.creditId}::uuid,
             ${new Date(after.monthMs)}::timestamptz, ${after.model}, ${after.priceVersion})`
  const ofOne = sql`account_id = ${accountId}::uuid`
  const inOrder = sql`order by ${sql.unsafe(place.join(', '))} limit ${limit}`
  // Looked up one by one: a join would be made for as many as the database thinks that a page might have.
  const ofInvoice = (column: string) =>
    sql`(select ${sql(column)} from invoices i where i.month = ${month} and i.account_id = l.account_id)`
  const rows = await withDeadline(sql<LineRow[]>`
    with recursive ${dueAt(sql, { monthMs, nowMs })},
    ${
      accountId === null
        ? pageLines(sql, monthMs, { from: after?.accountId ?? null, limit })
        : sql`page_lines as materialized (${openLines(sql, monthMs, ofOne)})`
    },
    page as materialized (
      select * from (
        (select ${sql.unsafe(lineColumns)} from page_lines where ${behind} ${inOrder})
        union all
        (select ${sql.unsafe(lineColumns)} from invoice_lines
         where month = ${month} and ${accountId === null ? sql`true` : ofOne} and ${behind} ${inOrder})
      ) as either
      ${inOrder}
    ),
    owed as (
      select account_id, sum(amount_nano_usd) as total, count(*)::integer as lines,
             coalesce(sum(requests) filter (where price_version = ''), 0) as unpriced
      from (
        select account_id, amount_nano_usd, requests, price_version from page_lines
        where account_id in (select account_id from page)
        union all
        select account_id, amount_nano_usd, requests, price_version from invoice_lines
        where month = ${month} and account_id = any (array(select account_id from page))
      ) as every_line
      group by account_id
    )
    select l.*, total, lines, unpriced, m.closed_at, ${ofInvoice('sequence')} as sequence,
           case when m.month is null then (select name from accounts a where a.id = l.account_id)
                else ${ofInvoice('account_name')} end as account_name
    from page l
    join owed on owed.account_id = l.account_id
    left join billing_months m on m.month = ${month}
    order by ${sql.unsafe(place.map(name => `l.${name}`).join(', '))}`)
  return rows.map(row => ({ head: headOf(row, monthMs), line: lineOf(row), position: positionOf(row) }))
}

const headOf = (row: LineRow, monthMs: number): InvoiceHead => ({
  monthMs,
  accountId: row.account_id,
  accountName: row.account_name,
  state:
    row.closed_at === null || row.sequence === null
      ? { kind: 'draft' }
      : { kind: 'closed', sequence: row.sequence, at: row.closed_at },
  totalNanoUsd: BigInt(row.total),
  lineCount: row.lines,
  unpricedRequests: BigInt(row.unpriced),
})

function lineOf(row: LineRow): InvoiceLine {
  const origin = { amountNanoUsd: BigInt(row.amount_nano_usd), monthMs: row.usage_month.getTime() }
  if (row.credit_id !== noCredit) {
    return { kind: 'credit', ...origin, creditId: row.credit_id, reason: row.reason ?? '' }
  }
  return {
    kind: 'usage',
    ...origin,
    model: row.model,
    priceVersion: row.price_version || null,
    prices: readUnitPrices(row.price),
    use: {
      requests: BigInt(row.requests),
      estimated: BigInt(row.estimated),
      inputTokens: BigInt(row.input_tokens),
      cachedInputTokens: BigInt(row.cached_input_tokens),
      outputTokens: BigInt(row.output_tokens),
      backendUs: BigInt(row.backend_us),
    },
  }
}

const positionOf = (row: LineRow): LinePosition => ({
  accountId: row.account_id,
  creditId: row.credit_id,
  monthMs: row.usage_month.getTime(),
  model: row.model,
  priceVersion: row.price_version,
})
