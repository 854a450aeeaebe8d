/** The months that are billed: which are closed, and which are not. */
import type { Sql } from 'postgres'
import { readPage } from '../admin/page.ts'
import { monthName, parseMonth } from '../domain/billing-month.ts'
import type { ListedMonthView, ListMonths } from '../schemas/admin/billing.ts'
import type { Page } from '../schemas/admin/list.ts'
import { type BilledMonth, listMonths } from '../store/billing-months.ts'

/** Newest first. */
export async function readMonths(sql: Sql, query: ListMonths): Promise<Page<ListedMonthView>> {
  return await readPage(query, {
    read: (limit, beforeMs: number | null) => listMonths(sql, Date.now(), { limit, beforeMs }),
    positionOf: ({ monthMs }) => monthName(monthMs),
    parsePosition,
    view: viewOf,
  })
}

function parsePosition(text: string): number | undefined {
  try {
    return parseMonth(text)
  } catch {
    return undefined
  }
}

const viewOf = ({ monthMs, closed }: BilledMonth): ListedMonthView => ({
  object: 'billing_month',
  month: monthName(monthMs),
  status: closed === null ? 'open' : 'closed',
  closed_at: closed?.at.toISOString() ?? null,
  closed_by: closed?.by ?? null,
  invoices: closed?.invoices ?? null,
})
