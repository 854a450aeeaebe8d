/** Single requests as the ledger has them, newest first, page by page. */
import type { Sql } from 'postgres'
import { getAccount, isUuid } from '../admin/context.ts'
import { readPage } from '../admin/page.ts'
import { formatUsd } from '../domain/money.ts'
import type { UsageEvent } from '../domain/usage-event.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { UsageEventView } from '../schemas/usage-list.ts'
import type { ListUsageEvents } from '../schemas/usage-query.ts'
import { listUsageEvents, type UsageEventPosition } from '../store/usage-listing.ts'
import { endOfTimeMs, readRange } from './usage-range.ts'

/** Where a page begins, and how far back the first one went. */
interface Place extends UsageEventPosition {
  readonly fromMs: number
}

interface PlacedEvent extends UsageEvent {
  readonly fromMs: number
}

export async function readEvents(
  sql: Sql,
  { from, to, account, key, model, status, limit = 100, cursor }: ListUsageEvents,
): Promise<Page<UsageEventView>> {
  const accountId = account === undefined ? null : (await getAccount({ sql }, account, 'account')).id
  const read = async (most: number, before: Place | null): Promise<readonly PlacedEvent[]> => {
    const range = readRange({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, before?.fromMs)
    const filter = { range, accountId, keyId: key ?? null, model: model ?? null, status: status ?? null }
    const events = await listUsageEvents(sql, filter, { limit: most, before })
    return events.map(event => ({ ...event, fromMs: range.fromMs }))
  }
  const positionOf = ({ id, fromMs }: PlacedEvent) => `${id} ${fromMs}`
  return await readPage(
    { limit, ...(cursor !== undefined && { cursor }) },
    { read, positionOf, parsePosition: parsePlace, view: viewOf },
  )
}

/** The time of an event is that of its id, a UUIDv7. */
function parsePlace(text: string): Place | undefined {
  const [id = '', from = ''] = text.split(' ', 2)
  if (!isUuid(id) || !/^[0-9]{1,15}$/.test(from)) return undefined
  const [atMs, fromMs] = [Number.parseInt(id.replace('-', '').slice(0, 12), 16), Number(from)]
  return Math.max(atMs, fromMs) < endOfTimeMs ? { id, atMs, fromMs } : undefined
}

function viewOf(event: UsageEvent): UsageEventView {
  return {
    object: 'usage_event',
    id: event.id,
    at: new Date(event.atMs).toISOString(),
    request_id: event.requestId,
    account: event.accountId,
    key: event.keyId,
    tier: event.tier,
    model: event.model,
    endpoint: event.endpoint,
    stream: event.isStream,
    status: event.status,
    error: event.error,
    answered_model: event.answeredModel,
    backend: event.backend,
    target: event.target,
    attempts: event.attempts.map(({ backend, model, fault }) => ({ backend, model, fault })),
    experiment: event.experiment,
    arm: event.arm,
    input_tokens: event.inputTokens,
    cached_input_tokens: event.cachedInputTokens,
    output_tokens: event.outputTokens,
    reasoning_tokens: event.reasoningTokens,
    estimated: event.isEstimate,
    price_version: event.priceVersion,
    unpriced: event.priceVersion === null,
    cost: formatUsd(event.costNanoUsd),
    backend_ms: event.backendMs,
    queue_ms: event.queueMs,
    first_token_ms: event.firstTokenMs,
    total_ms: event.totalMs,
  }
}
