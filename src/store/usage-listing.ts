/** Usage events as those see them who ask for single ones. */
import type { ISql, PendingQuery } from 'postgres'
import type { UsageAttempt, UsageEvent, UsageStatus } from '../domain/usage-event.ts'
import type { TimeRange } from '../domain/usage-range.ts'
import { withDeadline } from './deadline.ts'
import { readAttempts } from './usage-events.ts'

export interface UsageEventFilter {
  /** It bounds what is read where hardly any event passes the rest of the filter. */
  readonly range: TimeRange
  readonly accountId: string | null
  readonly keyId: string | null
  readonly model: string | null
  readonly status: UsageStatus | null
}

/** The place of an event in the list. */
export type UsageEventPosition = Pick<UsageEvent, 'atMs' | 'id'>

/** The client reads bigints as text. All are small enough for a number, which the table sees to. */
type EventRow = Omit<UsageEvent, 'atMs' | 'attempts' | 'backendMs' | CountName> & {
  readonly at: Date
  readonly attempts: readonly UsageAttempt[] | null
  readonly backendUs: string
} & Readonly<Record<Exclude<CountName, 'reasoningTokens'>, string>> & { readonly reasoningTokens: string | null }

type CountName = 'inputTokens' | 'cachedInputTokens' | 'outputTokens' | 'reasoningTokens' | 'costNanoUsd'

/** Events, newest first, `limit` at most, of those older than the one at `before`. */
export async function listUsageEvents(
  sql: ISql,
  filter: UsageEventFilter,
  page: { limit: number; before: UsageEventPosition | null },
): Promise<readonly UsageEvent[]> {
  const rows = await withDeadline(selectUsageEvents(sql, filter, page))
  return rows.map(({ at, backendUs, ...row }) => ({
    ...row,
    atMs: at.getTime(),
    attempts: readAttempts(row.attempts, row.backend, row.target),
    inputTokens: Number(row.inputTokens),
    cachedInputTokens: Number(row.cachedInputTokens),
    outputTokens: Number(row.outputTokens),
    reasoningTokens: row.reasoningTokens === null ? null : Number(row.reasoningTokens),
    costNanoUsd: Number(row.costNanoUsd),
    backendMs: Number(backendUs) / 1000,
  }))
}

/** The query of `listUsageEvents`. */
export function selectUsageEvents(
  sql: ISql,
  { range, accountId, keyId, model, status }: UsageEventFilter,
  { limit, before }: { limit: number; before: UsageEventPosition | null },
): PendingQuery<EventRow[]> {
  const untilMs = Math.min(range.untilMs, before === null ? Number.POSITIVE_INFINITY : before.atMs + 1)
  return sql<EventRow[]>`
    select id, request_id as "requestId", at, account_id as "accountId", key_id as "keyId", tier, model, endpoint,
           is_stream as "isStream", attempts, answered_model as "answeredModel", backend, target, experiment, arm,
           input_tokens as "inputTokens", cached_input_tokens as "cachedInputTokens", output_tokens as "outputTokens",
           reasoning_tokens as "reasoningTokens", is_estimate as "isEstimate", price_version as "priceVersion",
           cost_nano_usd as "costNanoUsd", backend_us as "backendUs", status, error, queue_ms as "queueMs",
           first_token_ms as "firstTokenMs", total_ms as "totalMs"
    from usage_events
    where at >= ${new Date(range.fromMs)} and at < ${new Date(untilMs)}
      ${before === null ? sql`` : sql`and (at, id) < (${new Date(before.atMs)}, ${before.id}::uuid)`}
      ${accountId === null ? sql`` : sql`and account_id = ${accountId}::uuid`}
      ${keyId === null ? sql`` : sql`and key_id = ${keyId}`}
      ${model === null ? sql`` : sql`and model = ${model}`}
      ${status === null ? sql`` : sql`and status = ${status}`}
    order by at desc, id desc
    limit ${limit}`
}
