/** Invoices as they are asked for and told: pages of lines, each invoice with those of its lines that are on the page. */
import type { Sql } from 'postgres'
import { invalid, isUuid, shown } from '../admin/context.ts'
import { readPage } from '../admin/page.ts'
import { monthName } from '../domain/billing-month.ts'
import { type InvoiceHead, type InvoiceLine, isLate, numberOf, uncachedTokens } from '../domain/invoice.ts'
import { formatDecimal, formatUsd } from '../domain/money.ts'
import { WeirError } from '../errors.ts'
import type { InvoiceLineView, InvoiceView, ListInvoices } from '../schemas/admin/billing.ts'
import type { Page } from '../schemas/admin/list.ts'
import { type InvoiceRow, type LinePosition, listInvoiceLines } from '../store/invoice-lines.ts'
import { billedAccountId } from './billed-account.ts'
import { readMonth } from './month.ts'

export async function readInvoices(
  sql: Sql,
  { month, account, limit = 100, cursor }: ListInvoices,
): Promise<Page<InvoiceRow>> {
  const monthMs = readMonth(month, 'month')
  const accountId = account === undefined ? null : await billedAccountId(sql, account)
  return await readPage(
    { limit, ...(cursor !== undefined && { cursor }) },
    {
      read: (most, after: LinePosition | null) =>
        listInvoiceLines(sql, { monthMs, nowMs: Date.now(), accountId }, { limit: most, after }),
      positionOf: ({ position: { accountId: owner, creditId, monthMs: usageMs, model, priceVersion } }) =>
        JSON.stringify([owner, creditId, usageMs, model, priceVersion]),
      parsePosition,
      view: row => row,
    },
  )
}

/** Undefined for what is no place of a line; the database would refuse most of that. */
function parsePosition(text: string): LinePosition | undefined {
  const place = parseJson(text)
  if (!Array.isArray(place) || place.length !== 5) return undefined
  const [accountId, creditId, monthMs, model, priceVersion] = place as unknown[]
  if (!isText(accountId) || !isUuid(accountId) || !isText(creditId) || !isUuid(creditId)) return undefined
  if (!isText(model) || !isText(priceVersion)) return undefined
  if (!isTime(monthMs)) return undefined
  return { accountId, creditId, monthMs, model, priceVersion }
}

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < Date.UTC(9999, 0)
const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0')

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const mostLinesOfPage = 2000

/** One of them as a whole. */
export async function readInvoice(sql: Sql, { month, account, cursor }: ListInvoices): Promise<InvoiceView> {
  if (account === undefined) throw invalid('account', 'A page to be printed has one invoice: say whose by account.')
  if (cursor !== undefined) throw invalid('cursor', 'A page to be printed has all lines: leave out cursor.')
  const page = await readInvoices(sql, { month, account, limit: mostLinesOfPage })
  const [invoice] = invoicesOf(page).data
  if (invoice === undefined) {
    const message = `There is no invoice of "${shown(account)}" for ${month}: nothing was used or credited.`
    throw new WeirError('resourceNotFound', message)
  }
  if (!page.has_more) return invoice
  const message = `The invoice has ${invoice.line_count} lines, more than the ${mostLinesOfPage} of a page to be printed: ask for text/csv.`
  throw invalid('account', message)
}

/** An invoice that goes on from the page before, or on the next one, is on each of them. */
export function invoicesOf({ data, ...page }: Page<InvoiceRow>): Page<InvoiceView> {
  const byAccount = Map.groupBy(data, ({ head }) => head.accountId)
  const invoices = byAccount.values().flatMap(rows => {
    const [first] = rows
    return first === undefined
      ? []
      : [
          {
            object: 'invoice',
            ...headView(first.head),
            lines: rows.map(({ head, line }) => lineView(line, head)),
          } as const,
        ]
  })
  return { ...page, data: [...invoices] }
}

/** The same as a table, in which a line stands beside its invoice. */
export const tableOf = ({ data, ...page }: Page<InvoiceRow>): Page<Readonly<Record<string, unknown>>> => ({
  ...page,
  data: data.map(({ head, line }) => ({
    ...Object.fromEntries(Object.entries(headView(head)).map(([name, value]) => [`invoice_${name}`, value])),
    ...lineView(line, head),
  })),
})

const headView = (head: InvoiceHead) => ({
  number: head.state.kind === 'closed' ? numberOf(head.monthMs, head.state.sequence) : null,
  month: monthName(head.monthMs),
  status: head.state.kind,
  closed_at: head.state.kind === 'closed' ? head.state.at.toISOString() : null,
  account: head.accountId,
  account_name: head.accountName,
  currency: 'USD' as const,
  total: formatUsd(head.totalNanoUsd),
  unpriced_requests: head.unpricedRequests,
  line_count: head.lineCount,
})

function lineView(line: InvoiceLine, head: InvoiceHead): InvoiceLineView {
  const common = {
    object: 'invoice_line',
    month: monthName(line.monthMs),
    amount: formatUsd(line.amountNanoUsd),
  } as const
  if (line.kind === 'credit') {
    return { ...common, ...nothingUsed, kind: 'credit', credit: line.creditId, reason: line.reason }
  }
  const { model, priceVersion, prices, use } = line
  const ofTokens = prices?.kind === 'token' ? prices : null
  return {
    ...common,
    kind: isLate(line, head) ? 'late_usage' : 'usage',
    model,
    price_version: priceVersion,
    unpriced: priceVersion === null,
    requests: use.requests,
    estimated_requests: use.estimated,
    uncached_input_tokens: uncachedTokens(use),
    cached_input_tokens: use.cachedInputTokens,
    output_tokens: use.outputTokens,
    backend_seconds: formatDecimal(use.backendUs, 6),
    input_price: ofTokens?.input ?? null,
    cached_input_price: ofTokens?.cachedInput ?? null,
    output_price: ofTokens?.output ?? null,
    second_price: prices?.kind === 'time' ? prices.second : null,
    credit: null,
    reason: null,
  }
}

const nothingUsed = {
  model: null,
  price_version: null,
  unpriced: false,
  requests: 0n,
  estimated_requests: 0n,
  uncached_input_tokens: 0n,
  cached_input_tokens: 0n,
  output_tokens: 0n,
  backend_seconds: '0',
  input_price: null,
  cached_input_price: null,
  output_price: null,
  second_price: null,
}
