/** Counts of requests that limits have refused. */
import type { ISql, Row } from 'postgres'
import type { DenialCount } from '../domain/denial-count.ts'
import type { TimeRange } from '../domain/usage-range.ts'
import { withDeadline } from './deadline.ts'

/** What they can be grouped and filtered by. */
const dimensionColumns = {
  account: 'account_id',
  key: 'key_id',
  tier: 'tier',
  limit_name: 'limit_name',
  of: 'owner',
} as const

export type DenialDimension = keyof typeof dimensionColumns
export type DenialGranularity = 'minute' | 'hour' | 'day' | 'none'

export interface DenialQuery {
  readonly range: TimeRange
  readonly granularity: DenialGranularity
  readonly groupBy: readonly DenialDimension[]
  readonly filter: Readonly<Partial<Record<DenialDimension, string>>>
}

/** The place of a row among those of its query. */
interface DenialPosition {
  /** When the minute, hour or day begins; null without granularity. */
  readonly period: Date | null
  /** The values of what is grouped by, in its order; null for what has none. */
  readonly group: readonly (string | null)[]
}

export interface DenialRow extends DenialPosition {
  readonly denials: bigint
}

/** All or none; those that are there already change nothing. Up to some thousand at once. */
export async function insertDenials(sql: ISql, counts: readonly DenialCount[], timeoutMs: number): Promise<void> {
  const rows = counts.map(({ id, minuteMs, accountId, keyId, tier, limit, of, denials }) => ({
    ...{ id, minute_ms: minuteMs, account_id: accountId, key_id: keyId, tier },
    ...{ limit_name: limit, owner: of, denials },
  }))
  await withDeadline(
    sql`
      with added as (
        insert into usage_denials (minute, id, account_id, key_id, tier, limit_name, owner, denials)
        select timestamptz 'epoch' + minute_ms * interval '1 millisecond', id, account_id, key_id, tier, limit_name, owner,
               denials
        from jsonb_to_recordset(${sql.json(rows)}) as entry (
          minute_ms bigint, id uuid, account_id uuid, key_id text, tier text, limit_name text, owner text, denials bigint
        )
        on conflict (minute, id) do nothing
        returning id
      )
      select count(*) from added`,
    timeoutMs,
  )
}

const removedAtOnce = 10_000

/** Deletes those of the time before, some thousand at once: all that an outage has left over would take longer than a call may. */
export async function deleteDenialsBefore(sql: ISql, time: Date): Promise<void> {
  for (let removed = removedAtOnce; removed === removedAtOnce; ) {
    const [row] = await withDeadline(sql<[{ removed: number }]>`
      with gone as (
        delete from usage_denials where (minute, id) in (
          select minute, id from usage_denials where minute < ${time} order by minute, id limit ${removedAtOnce}
        )
        returning id
      )
      select count(*)::integer as removed from gone`)
    removed = row.removed
  }
}

interface SelectedRow {
  readonly period: Date | null
  readonly denials: string
  readonly [groupColumn: `group_${number}`]: string | null
}

/** Sums, `limit` rows at most, of those behind the row at `after`: oldest first, then by the groups, what has none first. */
export async function queryDenials(
  sql: ISql,
  query: DenialQuery,
  page: { limit: number; after: DenialPosition | null },
): Promise<readonly DenialRow[]> {
  const { text, values } = buildStatement(query, page)
  // Not prepared: there are more forms of it than a connection should remember.
  const rows = await withDeadline(sql.unsafe<(Row & SelectedRow)[]>(text, values))
  return rows.map(row => ({
    period: row.period,
    group: query.groupBy.map((_, index) => row[`group_${index}`] ?? null),
    denials: BigInt(row.denials),
  }))
}

function buildStatement(
  { range, granularity, groupBy, filter }: DenialQuery,
  { limit, after }: { limit: number; after: DenialPosition | null },
): { text: string; values: (string | number | Date)[] } {
  const values: (string | number | Date)[] = []
  const parameter = (value: string | number | Date, type: string) => `$${values.push(value)}::${type}`
  const fromMs = Math.max(range.fromMs, after?.period?.getTime() ?? 0)
  const conditions = [
    `minute >= ${parameter(new Date(fromMs), 'timestamptz')}`,
    `minute < ${parameter(new Date(range.untilMs), 'timestamptz')}`,
    ...Object.entries(filter).map(([name, value]) => {
      const column = dimensionColumns[name as DenialDimension]
      return `${column} = ${parameter(value, column === 'account_id' ? 'uuid' : 'text')}`
    }),
  ]
  const period = granularity === 'none' ? 'null::timestamptz' : `date_trunc('${granularity}', minute, 'UTC')`
  const groups = groupBy.map(
    (name, index) => `coalesce(${dimensionColumns[name]}::text, '') collate "C" as group_${index}`,
  )
  const keys = [...(granularity === 'none' ? [] : ['period']), ...groupBy.map((_, index) => `group_${index}`)]
  const place = [...(after?.period ? [after.period] : []), ...(after?.group.map(value => value ?? '') ?? [])]
  const behind = place.map((value, index) => parameter(value, keys[index] === 'period' ? 'timestamptz' : 'text'))
  const order = keys.length === 0 ? '' : keys.join(', ')
  const text = `
    select ${['period', ...keys.filter(key => key !== 'period').map(key => `nullif(${key}, '') as ${key}`)].join(', ')},
           denials::text
    from (
      select ${[`${period} as period`, ...groups].join(', ')}, sum(denials) as denials
      from usage_denials where ${conditions.join(' and ')}
      ${order && `group by ${order}`}
      having count(*) > 0
    ) as sums
    ${behind.length > 0 ? `where (${order}) > (${behind.join(', ')})` : ''}
    ${order && `order by ${keys.map(key => `sums.${key}`).join(', ')}`}
    limit ${parameter(limit, 'integer')}`
  return { text, values }
}
