/** The same of what is kept of usage, bills, webhooks and experiments. */
import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { findCreditByRequest, insertCredit, isBilled, listCredits } from '../../src/store/billing-credits.ts'
import { closeMonth, findClosedMonth, getNextMonth, listMonths } from '../../src/store/billing-months.ts'
import { getExperimentState, listExperimentStates, saveExperimentState } from '../../src/store/experiment-states.ts'
import { listInvoiceLines } from '../../src/store/invoice-lines.ts'
import { pageOfAccountIds, pageOfLimitedKeys, spendingOf, tiersOfTokens } from '../../src/store/period-usage.ts'
import { recordPriceVersions } from '../../src/store/price-versions.ts'
import { deleteDenialsBefore, insertDenials, queryDenials } from '../../src/store/usage-denials.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { dropUsageBefore, findNow, makeUsagePartitions } from '../../src/store/usage-partitions.ts'
import { findSpent } from '../../src/store/usage-spent.ts'
import { queryUsage } from '../../src/store/usage-sums.ts'
import { claimDeliveries, endTry, keepDeliveries, putDeliveries } from '../../src/store/webhook-deliveries.ts'
import { findDelivery, listDeliveries, retryDelivery } from '../../src/store/webhook-listing.ts'
import { author } from './conformance.ts'
import { anyEvent, makeUsageEvent } from './usage.ts'

const page = { limit: 10, before: null }
const behindNone = { limit: 10, after: null }
const hourMs = 3_600_000
const accountId = defaultAccount.id

/** `nowMs` is of the hour in which it is used. */
export async function useLedger(sql: Sql, nowMs: number): Promise<void> {
  await useEvents(sql, nowMs)
  await useDenials(sql, nowMs)
  await useBilling(sql, nowMs)
  await useDeliveries(sql, nowMs)
  await useExperiments(sql)
}

async function useEvents(sql: Sql, nowMs: number): Promise<void> {
  await makeUsagePartitions(sql, nowMs)
  await recordPriceVersions(sql, [
    { version: 'v1', model: 'small', target: null, price: {}, effectiveFrom: new Date(0) },
  ])
  const events = [makeUsageEvent({ atMs: nowMs }), makeUsageEvent({ atMs: nowMs, keyId: null, priceVersion: null })]
  await insertUsageEvents(sql, events, 5000)
  await insertUsageEvents(sql, events, 5000)
  await listUsageEvents(sql, anyEvent, page)
  const fromMs = Math.floor(nowMs / hourMs) * hourMs
  const range = { fromMs: fromMs - 49 * hourMs, untilMs: fromMs + hourMs }
  await queryUsage(
    sql,
    { range, granularity: 'day', groupBy: ['account', 'model'], filter: { status: 'ok' } },
    behindNone,
  )
  await queryUsage(sql, { range, granularity: 'none', groupBy: [], filter: {} }, behindNone)
  const dayMs = Math.floor(nowMs / (24 * hourMs)) * 24 * hourMs
  const day = new Date(dayMs)
  await findSpent(sql, { accountId, keyId: null, unit: 'day', from: day, except: ['req_1'], exceptFrom: day })
  await spendingOf(sql, [{ accountId, keyId: '', tier: null, dayMs }], ['free'])
  await pageOfAccountIds(sql, null, 10)
  await pageOfLimitedKeys(sql, null, 10)
  await tiersOfTokens(sql, [accountId], dayMs)
  await findNow(sql)
  await dropUsageBefore(sql, new Date(Date.UTC(2020, 0)), 1000)
}

async function useDenials(sql: Sql, nowMs: number): Promise<void> {
  const minuteMs = Math.floor(nowMs / 60_000) * 60_000
  const count = { id: randomUUID(), minuteMs, accountId, keyId: null, tier: 'free', denials: 3 }
  await insertDenials(sql, [{ ...count, limit: 'requests_per_minute', of: 'account' }], 5000)
  const range = { fromMs: minuteMs - hourMs, untilMs: minuteMs + 60_000 }
  await queryDenials(sql, { range, granularity: 'hour', groupBy: ['account'], filter: {} }, behindNone)
  await deleteDenialsBefore(sql, new Date(0))
}

async function useBilling(sql: Sql, nowMs: number): Promise<void> {
  const monthMs = await getNextMonth(sql, nowMs)
  const id = makeTimeOrderedId(nowMs)
  const createdAt = new Date(nowMs)
  const origin = { createdBy: 'somebody', idempotencyKey: id, requestDigest: Buffer.from('digest') }
  await insertCredit(sql, { id, accountId, amountNanoUsd: 5, reason: 'sorry', monthMs, createdAt, origin }, author)
  await findCreditByRequest(sql, 'somebody', id)
  await listCredits(sql, accountId, page)
  await isBilled(sql, accountId)
  await listInvoiceLines(sql, { monthMs, nowMs, accountId }, behindNone)
  await closeMonth(sql, { monthMs, nowMs }, author)
  await findClosedMonth(sql, monthMs)
  await listMonths(sql, nowMs, { limit: 10, beforeMs: null })
}

async function useDeliveries(sql: Sql, nowMs: number): Promise<void> {
  const id = makeTimeOrderedId(nowMs)
  const periodEnds = new Date(nowMs + hourMs)
  const period = new Date(nowMs).toISOString().slice(0, 10)
  const told = { webhook: 'billing', accountId, keyId: null, limit: 'spend_per_day', percent: 80, body: '{}' }
  await putDeliveries(sql, [{ id, ...told, period, periodEnds, size: nowMs }])
  for (const claimed of await claimDeliveries(sql, [{ webhook: 'billing', room: 5 }], 60_000)) {
    await endTry(sql, claimed, { outcome: 'gone', error: '410', waitMs: 0 })
  }
  await listDeliveries(sql, { state: 'dead', webhook: 'billing' }, page)
  const delivery = await findDelivery(sql, id)
  if (delivery !== null) await retryDelivery(sql, delivery, author)
  await keepDeliveries(sql)
}

async function useExperiments(sql: Sql): Promise<void> {
  const before = await getExperimentState(sql, 'bigger')
  const after = { ...before, state: { status: 'running', rampPercent: 10 }, updatedAt: new Date() } as const
  await saveExperimentState(sql, { before, after }, author)
  await listExperimentStates(sql, 5000)
}
