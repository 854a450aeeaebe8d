/** Credits: what is given back, since what was billed never changes. */
import type { Sql } from 'postgres'
import { type Actor, authorOf } from '../admin/actor.ts'
import { invalid } from '../admin/context.ts'
import { type Creation, type CreationRequest, makeOnce, originOf } from '../admin/creation.ts'
import { byId, readPage } from '../admin/page.ts'
import { monthName } from '../domain/billing-month.ts'
import { numberOf } from '../domain/invoice.ts'
import { formatUsd, parseUsd } from '../domain/money.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import type { CreateCredit, CreditView, ListCredits } from '../schemas/admin/billing.ts'
import type { Page } from '../schemas/admin/list.ts'
import { type Credit, findCreditByRequest, insertCredit, listCredits } from '../store/billing-credits.ts'
import { billedAccountId } from './billed-account.ts'
import { readMonth } from './month.ts'

export async function createCredit(
  sql: Sql,
  actor: Actor,
  request: CreationRequest<CreateCredit>,
): Promise<Creation<CreditView, CreditView>> {
  const { account, amount_usd, reason, month } = request.body
  const origin = originOf(actor, 'credit.create', request)
  const findEarlier = async (createdBy: string, idempotencyKey: string) => {
    const earlier = await findCreditByRequest(sql, createdBy, idempotencyKey)
    return earlier && { record: viewOf(earlier.credit), requestDigest: earlier.requestDigest }
  }
  const make = async () => {
    const createdAt = new Date()
    const credit: Credit = {
      id: makeTimeOrderedId(createdAt.getTime()),
      accountId: await billedAccountId(sql, account),
      amountNanoUsd: readAmount(amount_usd),
      reason: readReason(reason),
      monthMs: month === undefined ? null : readPastMonth(month, createdAt),
      createdAt,
      invoice: null,
    }
    const outcome = await insertCredit(sql, { ...credit, origin }, authorOf(actor))
    return outcome === 'done' ? viewOf(credit) : 'stale'
  }
  return await makeOnce(origin, { findEarlier, make })
}

export async function readCredits(sql: Sql, { account, ...page }: ListCredits): Promise<Page<CreditView>> {
  const accountId = account === undefined ? null : await billedAccountId(sql, account)
  const read = (limit: number, before: string | null) => listCredits(sql, accountId, { limit, before })
  return await readPage(page, { ...byId, read, view: viewOf })
}

/** There is nothing to correct in a month that has not begun. */
function readPastMonth(month: string, now: Date): number {
  const monthMs = readMonth(month, 'month')
  if (monthMs <= now.getTime()) return monthMs
  throw invalid(
    'month',
    `${month} has not begun: month is the one that the credit corrects, ${monthName(now.getTime())} at the latest.`,
  )
}

function readReason(text: string): string {
  if (text.trim() !== '') return text
  throw invalid('reason', 'reason must say something: it stands on the invoice.')
}

function readAmount(text: string): number {
  try {
    const nanoUsd = parseUsd(text)
    if (nanoUsd > 0) return nanoUsd
  } catch {
    // Told below, as of one that is 0.
  }
  throw invalid('amount_usd', 'amount_usd must be more than 0 and at most 9000000.')
}

function viewOf({ id, accountId, amountNanoUsd, reason, monthMs, createdAt, invoice }: Credit): CreditView {
  return {
    id,
    object: 'credit',
    account: accountId,
    amount_usd: formatUsd(amountNanoUsd),
    reason,
    month: monthMs === null ? null : monthName(monthMs),
    created_at: createdAt.toISOString(),
    invoice: invoice === null ? null : numberOf(invoice.monthMs, invoice.sequence),
  }
}
