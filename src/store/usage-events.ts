/** Usage events on their way into the ledger. */
import type { ISql, JSONValue, PendingQuery, Row } from 'postgres'
import type { UsageAttempt, UsageEvent } from '../domain/usage-event.ts'
import { withDeadline } from './deadline.ts'
import {
  seriesColumns,
  seriesId,
  seriesOfEvent,
  seriesOfTotal,
  sumColumns,
  sumsOfEvents,
  sumsOfSums,
} from './usage-columns.ts'

/** The columns of an event but its time, by their types in JSON. Numbers come with fractions where clocks are finer. */
const eventColumns = {
  id: 'uuid',
  account_id: 'uuid',
  input_tokens: 'bigint',
  cached_input_tokens: 'bigint',
  output_tokens: 'bigint',
  reasoning_tokens: 'bigint',
  cost_nano_usd: 'bigint',
  backend_us: 'numeric',
  queue_ms: 'numeric',
  first_token_ms: 'numeric',
  total_ms: 'numeric',
  is_stream: 'boolean',
  is_estimate: 'boolean',
  endpoint: 'text',
  status: 'text',
  request_id: 'text',
  key_id: 'text',
  tier: 'text',
  model: 'text',
  answered_model: 'text',
  backend: 'text',
  target: 'text',
  experiment: 'text',
  arm: 'text',
  price_version: 'text',
  error: 'text',
  attempts: 'jsonb',
} as const

const eventNames = Object.keys(eventColumns).join(', ')
const eventTypes = Object.entries({ at_ms: 'bigint', ...eventColumns })
  .map(([name, type]) => `${name} ${type}`)
  .join(', ')
const seriesNames = seriesColumns.join(', ')
const sumNames = sumColumns.join(', ')
const timeOfEntry = `timestamptz 'epoch' + at_ms * interval '1 millisecond'`

/** The ends of the names of tables. */
const sumTables = ['hourly', 'daily', 'monthly', 'hourly_totals', 'daily_totals', 'monthly_totals'] as const

const upsert = (table: string, source: string): string => `
  insert into ${table} as kept (period, series, ${sumNames})
  select period, series, ${sumNames} from ${source} order by period, series
  on conflict (period, series) do update set
    ${sumColumns.map(column => `${column} = kept.${column} + excluded.${column}`).join(', ')}
  returning period`

const periodsOf = (unit: 'day' | 'month', source: string): string => `
  select date_trunc('${unit}', period, 'UTC') as period, series, ${sumsOfSums}
  from ${source} group by date_trunc('${unit}', period, 'UTC'), series`

/**
 * Only what was really inserted comes out of `fresh`, so that what is repeated adds nothing. All who insert take their locks
 * in the same order, that of the last lines, and in that of their keys within each: nobody waits for another in a circle.
 *
 * The one row comes when all is done, as that of `partitionsOfEntries` does: where an error comes after a row, the client
 * (postgres 3.4.9) puts the rows of its next answer one place too far.
 */
const insertion = `
  with fresh as (
    insert into usage_events (at, ${eventNames})
    select ${timeOfEntry} as at, ${eventNames} from jsonb_to_recordset($1::jsonb) as entry (${eventTypes})
    order by at, id
    on conflict (at, id) do nothing
    returning *
  ),
  apart as (
    select date_trunc('hour', at, 'UTC') as period, ${seriesOfEvent}, ${sumsOfEvents}
    from fresh group by date_trunc('hour', at, 'UTC'), ${seriesNames}
  ),
  together as (
    select period, ${seriesOfTotal}, ${sumsOfSums}
    from apart group by period, ${seriesColumns.slice(2).join(', ')}
  ),
  hourly as (select *, ${seriesId} as series from apart),
  hourly_totals as (select *, ${seriesId} as series from together),
  daily as (${periodsOf('day', 'hourly')}),
  daily_totals as (${periodsOf('day', 'hourly_totals')}),
  monthly as (${periodsOf('month', 'daily')}),
  monthly_totals as (${periodsOf('month', 'daily_totals')}),
  series as (
    insert into usage_series (id, ${seriesNames})
    select distinct series, ${seriesNames}
    from (select series, ${seriesNames} from hourly union all select series, ${seriesNames} from hourly_totals) as named
    order by series
    on conflict (id) do nothing
    returning id
  ),
  ${sumTables.map(table => `of_${table} as (${upsert(`usage_${table}`, table)})`).join(', ')}
  select (select count(*) from fresh)::integer as inserted, (select count(*) from series),
         ${sumTables.map(table => `(select count(*) from of_${table})`).join(', ')}`

const partitionsOfEntries = `
  select count(*) filter (where weir_make_usage_partition(month)) as made
  from (
    select distinct date_trunc('month', ${timeOfEntry}, 'UTC') as month
    from jsonb_to_recordset($1::jsonb) as entry (at_ms bigint)
  ) as needed`

/**
 * Inserts events, all or none of them, and adds them to the sums of their hour and day. Returns how many were new: those that
 * are there already change nothing, whoever inserted them. Up to some thousand at once.
 *
 * The id of an event is a UUIDv7 of its `atMs`. Milliseconds are rounded to whole ones, those of a backend to microseconds.
 *
 * Throws what `withDeadline` throws, `timeoutMs` at the latest; the events may get in later nevertheless. `isPoison` tells
 * what to do then.
 */
export async function insertUsageEvents(sql: ISql, events: readonly UsageEvent[], timeoutMs: number): Promise<number> {
  const endsAtMs = performance.now() + timeoutMs
  const rows = events.map(rowOf)
  const run = async (statement: string): Promise<Row | undefined> => {
    const query: PendingQuery<Row[]> = sql.unsafe(statement, [sql.json(rows)], { prepare: true })
    const [row] = await withDeadline(query, Math.max(endsAtMs - performance.now(), 1))
    return row
  }
  try {
    return (await run(insertion))?.['inserted'] ?? 0
  } catch (error) {
    if (!isForNoPartition(error)) throw error
  }
  await run(partitionsOfEntries)
  return (await run(insertion))?.['inserted'] ?? 0
}

function rowOf(event: UsageEvent): Record<string, JSONValue> {
  return {
    at_ms: event.atMs,
    id: event.id,
    account_id: event.accountId,
    input_tokens: event.inputTokens,
    cached_input_tokens: event.cachedInputTokens,
    output_tokens: event.outputTokens,
    reasoning_tokens: event.reasoningTokens,
    cost_nano_usd: event.costNanoUsd,
    backend_us: event.backendMs * 1000,
    queue_ms: event.queueMs,
    first_token_ms: event.firstTokenMs,
    total_ms: event.totalMs,
    is_stream: event.isStream,
    is_estimate: event.isEstimate,
    endpoint: event.endpoint,
    status: event.status,
    request_id: event.requestId,
    key_id: event.keyId,
    tier: event.tier,
    model: event.model,
    answered_model: event.answeredModel,
    backend: event.backend,
    target: event.target,
    experiment: event.experiment,
    arm: event.arm,
    price_version: event.priceVersion,
    error: event.error,
    attempts: isToldByColumns(event) ? null : event.attempts.map(attempt => ({ ...attempt })),
  }
}

/** Most events have one attempt, which their backend and target tell. */
function isToldByColumns({ attempts, backend, target }: UsageEvent): boolean {
  const [first] = attempts
  if (first === undefined) return backend === null
  return attempts.length === 1 && first.fault === null && first.backend === backend && first.model === target
}

/** What is kept of the attempts of an event, as they were. */
export function readAttempts(
  attempts: readonly UsageAttempt[] | null,
  backend: string | null,
  target: string | null,
): readonly UsageAttempt[] {
  return attempts ?? (backend === null ? [] : [{ backend, model: target ?? '', fault: null }])
}

interface DatabaseFault {
  readonly code: string
  readonly constraint: string | undefined
}

function faultOf(error: unknown): DatabaseFault | null {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return null
  const constraint = 'constraint_name' in error ? error.constraint_name : undefined
  return { code: error.code, constraint: typeof constraint === 'string' ? constraint : undefined }
}

const checkViolation = '23514'

/** PostgreSQL calls it a violated check, of no constraint. */
function isForNoPartition(error: unknown): boolean {
  const fault = faultOf(error)
  return fault?.code === checkViolation && fault.constraint === undefined
}

/** Classes 22, wrong data, and 54, more than the database takes; 23502, a value is missing. */
const poisonState = /^(?:22|54)[0-9A-Z]{3}$|^23502$/

/**
 * Whether what `insertUsageEvents` threw is the fault of an event: halves of the batch are to be tried until it is found, and
 * it is never to be tried again. Anything else goes away: try the same again, later.
 */
export function isPoison(error: unknown): boolean {
  const fault = faultOf(error)
  if (fault === null) return false
  return poisonState.test(fault.code) || (fault.code === checkViolation && fault.constraint !== undefined)
}
