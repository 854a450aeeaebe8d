/** The closing of a month: its invoices get their numbers and never change again. */
import type { Sql } from 'postgres'
import { type Actor, authorOf } from '../admin/actor.ts'
import { conflict } from '../admin/context.ts'
import { endOfMonth, monthName } from '../domain/billing-month.ts'
import { formatUsd } from '../domain/money.ts'
import { WeirError } from '../errors.ts'
import type { BillingMonthView } from '../schemas/admin/billing.ts'
import { type ClosedMonth, closeMonth, findClosedMonth, getNextMonth } from '../store/billing-months.ts'
import { retryStale } from '../store/change-outcome.ts'
import { findNow } from '../store/usage-partitions.ts'
import { readMonth } from './month.ts'

export interface ClosingContext {
  readonly sql: Sql
  /** Fulfilled when the database has all that this replica has recorded so far, or the time is up; false where it has not. */
  readonly flush: (withinMs: number) => Promise<boolean>
}

/** May be repeated: what is closed stays as it is, and is told again. */
export async function closeBillingMonth(
  { sql, flush }: ClosingContext,
  actor: Actor,
  { month }: { readonly month: string },
): Promise<BillingMonthView> {
  const monthMs = readMonth(month, 'month')
  const endMs = endOfMonth(monthMs)
  if (Date.now() < endMs) {
    throw notOver(month, endMs)
  }
  return await retryStale(async () => {
    const nowMs = Date.now()
    // In this order: whoever closes it meanwhile has closed it before the second question.
    const nextMs = await getNextMonth(sql, nowMs)
    const closed = await findClosedMonth(sql, monthMs)
    if (closed !== null) return viewOf(closed)
    requireNext(monthMs, nextMs)
    const databaseNow = await findNow(sql)
    // The statement would refuse it, whichever clock is wrong: what is closed too early can never be opened again.
    if (databaseNow.getTime() < endMs) throw notOver(month, endMs, databaseNow)
    await requireStored(flush)
    await closeMonth(sql, { monthMs, nowMs }, authorOf(actor))
    return (await findClosedMonth(sql, monthMs).then(found => found && viewOf(found))) ?? 'stale'
  })
}

function notOver(month: string, endMs: number, databaseNow?: Date): WeirError {
  const clock =
    databaseNow === undefined ? '' : ` by the clock of the database, where it is ${databaseNow.toISOString()}`
  return conflict(`${month} is not over${clock}: close it from ${new Date(endMs).toISOString()} on.`, 'month')
}

/** In order, so that it is always clear whose invoice has what came late. */
function requireNext(monthMs: number, nextMs: number): void {
  const next = monthName(nextMs)
  if (monthMs > nextMs) throw conflict(`Months are closed one after the other: close ${next} first.`, 'month')
  if (monthMs === nextMs) return
  const message = `${monthName(monthMs)} is before the first month that is billed, and nothing was used in it then. What comes in late for it is on the invoices of ${next}.`
  throw conflict(message, 'month')
}

const flushMs = 5000

/** What is late would not be lost; but what can be on the right invoice should be. */
async function requireStored(flush: ClosingContext['flush']): Promise<void> {
  if (await flush(flushMs)) return
  const message =
    'This replica has usage of its own that the database has not taken yet, so the month would be billed without it. ' +
    'Try again shortly; `weir ledger` says how much is left.'
  throw new WeirError('ledgerUnavailable', message, { retryAfterMs: flushMs })
}

const viewOf = ({ monthMs, closedAt, invoices, lines, totalNanoUsd }: ClosedMonth): BillingMonthView => ({
  object: 'billing_month',
  month: monthName(monthMs),
  status: 'closed',
  closed_at: closedAt.toISOString(),
  invoices,
  lines,
  currency: 'USD',
  total: formatUsd(totalNanoUsd),
})
