/** Billing in a test database. */
import type { Sql } from 'postgres'
import type { InvoiceLine } from '../../src/domain/invoice.ts'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import type { NewCredit } from '../../src/store/billing-credits.ts'
import { type InvoiceRow, type LinePosition, listInvoiceLines } from '../../src/store/invoice-lines.ts'

const tables = ['invoice_lines', 'invoices', 'billed_usage', 'billing_credits', 'billing_months']

/** As `empty`, before it: nobody but the owner of the tables can do so. */
export async function emptyBilling(sql: Sql): Promise<void> {
  const each = (statement: (table: string) => string) => tables.map(statement).join(';')
  await sql.unsafe(`
    ${each(table => `alter table ${table} disable trigger user`)};
    truncate ${tables.join(', ')};
    ${each(table => `alter table ${table} enable trigger user`)}`)
}

/** All lines of a month's invoices, read so many at a time. */
export async function readLines(
  sql: Sql,
  { monthMs, nowMs = Date.now() }: { monthMs: number; nowMs?: number },
  limit = 1000,
): Promise<readonly InvoiceRow[]> {
  const all: InvoiceRow[] = []
  for (let after: LinePosition | null = null; ; ) {
    const question = { monthMs, nowMs, accountId: null }
    const rows: readonly InvoiceRow[] = await listInvoiceLines(sql, question, { limit, after })
    all.push(...rows)
    if (rows.length < limit) return all
    after = rows.at(-1)?.position ?? null
  }
}

export const sumOf = (lines: readonly InvoiceLine[]): bigint =>
  lines.reduce((sum, { amountNanoUsd }) => sum + amountNanoUsd, 0n)

/** A credit as `insertCredit` takes it. */
export function makeCredit(accountId: string, changes: Partial<NewCredit> = {}) {
  const createdAt = new Date()
  const id = makeTimeOrderedId(createdAt.getTime())
  const credit = { id, accountId, amountNanoUsd: 1_500_000_000, reason: 'An outage', monthMs: null, createdAt }
  const origin = { createdBy: 'admin-key', idempotencyKey: null, requestDigest: Buffer.alloc(32) }
  return { ...credit, origin, ...changes }
}
