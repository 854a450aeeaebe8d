/** Credits: what accounts are given back. */
import type { ISql } from 'postgres'
import { monthName } from '../domain/billing-month.ts'
import { formatUsd } from '../domain/money.ts'
import type { Snapshot } from '../schemas/admin/audit.ts'
import type { Origin } from './accounts.ts'
import { type Author, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'
import { isOfCredit } from './open-lines.ts'

export interface NewCredit {
  readonly id: string
  readonly accountId: string
  readonly amountNanoUsd: number
  readonly reason: string
  /** The first moment of the month that it corrects; null where it is about none. */
  readonly monthMs: number | null
  readonly createdAt: Date
}

export interface Credit extends NewCredit {
  /** Which it is on; null while that is still a draft. */
  readonly invoice: { readonly monthMs: number; readonly sequence: number } | null
}

/** By one Idempotency-Key there is one of them: `stale` where it is there already. */
export async function insertCredit(
  sql: ISql,
  { origin, ...credit }: NewCredit & { readonly origin: Origin },
  author: Author,
): Promise<ChangeOutcome> {
  const { id, accountId, amountNanoUsd, reason, monthMs, createdAt } = credit
  const change = { action: 'credit.create', targetId: id, at: createdAt, before: null } as const
  return await outcomeOf(sql`
    with made as (
      insert into billing_credits (id, account_id, amount_nano_usd, reason, month, created_at, created_by,
                                   idempotency_key, request_digest)
      values (${id}, ${accountId}, ${amountNanoUsd}, ${reason}, ${monthMs === null ? null : new Date(monthMs)},
              ${createdAt}, ${origin.createdBy}, ${origin.idempotencyKey}, ${origin.requestDigest})
      returning id
    ),
    logged as (
      ${writeAudit(sql, {
        author,
        changes: [{ ...change, after: snapshotOf(credit) }],
        done: sql`select id::text from made`,
      })}
    )
    select id from made`)
}

/** As the audit log keeps it. */
const snapshotOf = ({ id, accountId, amountNanoUsd, reason, monthMs }: NewCredit): Snapshot => ({
  object: 'credit',
  id,
  account: accountId,
  amount_usd: formatUsd(amountNanoUsd),
  reason,
  month: monthMs === null ? null : monthName(monthMs),
})

interface CreditRow extends Omit<Credit, 'amountNanoUsd' | 'monthMs' | 'invoice'> {
  readonly amount: string
  readonly month: Date | null
  readonly invoiceMonth: Date | null
  readonly sequence: number | null
}

const columns = (sql: ISql) => sql`
  c.id, c.account_id as "accountId", c.amount_nano_usd::text as amount, c.reason, c.month, c.created_at as "createdAt",
  i.month as "invoiceMonth", i.sequence
  from billing_credits c
  left join invoice_lines l on l.credit_id = c.id and ${isOfCredit(sql)}
  left join invoices i on i.month = l.month and i.account_id = l.account_id`

const read = ({ amount, month, invoiceMonth, sequence, ...row }: CreditRow): Credit => ({
  ...row,
  amountNanoUsd: Number(amount),
  monthMs: month?.getTime() ?? null,
  invoice: invoiceMonth === null || sequence === null ? null : { monthMs: invoiceMonth.getTime(), sequence },
})

/** Whether an account has used anything, or was given a credit. */
export async function isBilled(sql: ISql, accountId: string): Promise<boolean> {
  const [row] = await withDeadline(sql<[{ found: boolean }]>`
    select exists (select from usage_series where account_id = ${accountId}::uuid)
           or exists (select from billing_credits where account_id = ${accountId}::uuid) as found`)
  return row.found
}

/** What the same caller has made by the same Idempotency-Key before. */
export async function findCreditByRequest(
  sql: ISql,
  createdBy: string,
  idempotencyKey: string,
): Promise<{ readonly credit: Credit; readonly requestDigest: Buffer } | null> {
  const [row] = await withDeadline(sql<(CreditRow & { requestDigest: Buffer })[]>`
    select c.request_digest as "requestDigest", ${columns(sql)}
    where c.created_by = ${createdBy} and c.idempotency_key = ${idempotencyKey}`)
  if (row === undefined) return null
  const { requestDigest, ...rest } = row
  return { credit: read(rest), requestDigest }
}

/** Credits, newest first, `limit` at most, of those older than the one with the id `before`. */
export async function listCredits(
  sql: ISql,
  accountId: string | null,
  { limit, before }: { limit: number; before: string | null },
): Promise<readonly Credit[]> {
  const rows = await withDeadline(sql<CreditRow[]>`
    select ${columns(sql)}
    where true
      ${accountId === null ? sql`` : sql`and c.account_id = ${accountId}::uuid`}
      ${before === null ? sql`` : sql`and c.id < ${before}::uuid`}
    order by c.id desc
    limit ${limit}`)
  return rows.map(read)
}
