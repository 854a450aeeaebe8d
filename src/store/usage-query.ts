/** Questions about what was used, as statements on the sums of hours and days. */
import { periodAt } from '../domain/calendar.ts'
import { coverByMonths, dayMs, type SignedPart, splitByDays, type TimeRange, widening } from '../domain/usage-range.ts'
import { sumColumns, toldSums } from './usage-columns.ts'

/** What sums can be grouped and filtered by; an arm means something beside its experiment only. */
const dimensionColumns = {
  account: 'account_id',
  key: 'key_id',
  model: 'model',
  tier: 'tier',
  backend: 'backend',
  experiment: 'experiment',
  arm: 'arm',
  status: 'status',
  endpoint: 'endpoint',
} as const

export type UsageDimension = keyof typeof dimensionColumns
export type Granularity = 'hour' | 'day' | 'month' | 'none'

export interface UsageQuery {
  /** It begins and ends with an hour. A day or month that is only partly in it has the sums of that part. */
  readonly range: TimeRange
  readonly granularity: Granularity
  readonly groupBy: readonly UsageDimension[]
  readonly filter: Readonly<Partial<Record<UsageDimension, string>>>
}

/** The place of a row among those of its query. */
export interface UsagePosition {
  /** When the hour, day or month begins; null without granularity. */
  readonly period: Date | null
  /** The values of what is grouped by, in its order; null for what events of the group do not have. */
  readonly group: readonly (string | null)[]
}

/** `values` is all that callers say; `period`, `group_0` and so on, and the sums are the columns of its rows. */
export interface Statement {
  readonly text: string
  readonly values: readonly (string | number | Date)[]
}

/**
 * Statements whose rows, one after the other, are those of the query behind the row at `after`, `limit` at most of each.
 *
 * Hours and days are asked for in pieces of the range, so that no more is read than a page needs; and those days on their own
 * that have to be added from hours since they are in it only partly. Throws a RangeError where the range does not begin and end
 * with an hour.
 */
export function* buildUsageStatements(
  query: UsageQuery,
  { limit, after }: { limit: number; after: UsagePosition | null },
): Generator<Statement> {
  const range = { ...query.range, fromMs: Math.max(query.range.fromMs, after?.period?.getTime() ?? 0) }
  const build = (parts: readonly SignedPart[]) => new UsageStatement(query, after, limit).build(parts)
  // Throws for any granularity.
  const parts = splitByDays(range)
  switch (query.granularity) {
    case 'hour':
      for (const piece of widening(range, firstPieceOfHoursMs)) yield build([{ ...piece, unit: 'hour', isAdded: true }])
      break
    case 'day':
      for (const { unit, ...part } of parts) {
        for (const piece of widening(part, firstPieceOfDaysMs)) yield build([{ ...piece, unit, isAdded: true }])
      }
      break
    case 'month':
    case 'none':
      if (parts.length > 0) yield build(coverByMonths(range))
  }
}

const firstPieceOfHoursMs = dayMs
const firstPieceOfDaysMs = 8 * dayMs

const tables = { hour: 'usage_hourly', day: 'usage_daily', month: 'usage_monthly' } as const

class UsageStatement {
  readonly #values: (string | number | Date)[] = []
  readonly #query: UsageQuery
  readonly #after: UsagePosition | null
  readonly #limit: number
  readonly #columns: readonly string[]

  constructor(query: UsageQuery, after: UsagePosition | null, limit: number) {
    this.#query = query
    this.#after = after
    this.#limit = limit
    this.#columns = query.groupBy.map(dimension => dimensionColumns[dimension])
  }

  build(parts: readonly SignedPart[]): Statement {
    const { granularity } = this.#query
    const period = granularity === 'none' ? null : 'period'
    const keys = [...(period === null ? [] : [period]), ...this.#columns]
    const named = this.#columns.map((column, index) => `nullif(${column}::text, '') as group_${index}`)
    const text = `
      with series as materialized (
        select ${['id', 'price_version', ...new Set(this.#columns)].join(', ')} from usage_series ${this.#where(this.#filters())}
      )
      select ${[`${period ?? 'null::timestamptz'} as period`, ...named, toldSums].join(', ')}
      from (${parts.map(part => this.#rows(part)).join(' union all ')}) as sums join series on series.id = sums.series
      ${this.#where(this.#place(keys))}
      ${keys.length === 0 ? '' : `group by ${keys.join(', ')}`}
      having sum(requests) > 0
      ${keys.length === 0 ? '' : `order by ${keys.join(', ')}`}
      limit ${this.#parameter(this.#limit, 'integer')}`
    return { text, values: this.#values }
  }

  #rows({ unit, fromMs, untilMs, isAdded }: SignedPart): string {
    const { granularity, groupBy, filter } = this.#query
    const isOfAll = ![...groupBy, ...Object.keys(filter)].some(name => name === 'account' || name === 'key')
    const during = [`period >= ${this.#time(fromMs)}`, `period < ${this.#time(untilMs)}`]
    const isOfFew = Object.keys(filter).length > 0
    const from = `from ${tables[unit]}${isOfAll ? '_totals' : ''}
      ${this.#where([...during, ...(isOfFew ? ['series in (select id from series)'] : [])])}`
    if (unit === granularity) return `select period, series, ${sumColumns.join(', ')} ${from}`
    // What is shorter than a period is in the same one as a whole. Added up here, it need not be joined row by row.
    const period = granularity === 'none' ? 'null::timestamptz' : this.#time(startOf(granularity, fromMs))
    const sums = sumColumns.map(column => `${isAdded ? '' : '-'}sum(${column}) as ${column}`)
    return `select ${period} as period, series, ${sums.join(', ')} ${from} group by series`
  }

  #filters(): readonly string[] {
    return Object.entries(this.#query.filter).map(([dimension, value]) => {
      const column = dimensionColumns[dimension as UsageDimension]
      return `${column} = ${this.#parameter(value, typeOf(column))}`
    })
  }

  /** What comes after the place of the page, in the order of `keys`. */
  #place(keys: readonly string[]): readonly string[] {
    if (this.#after === null) return []
    const { period, group } = this.#after
    const values = [...(period === null ? [] : [period]), ...group.map(value => value ?? '')]
    const place = keys.map((key, index) => this.#parameter(values[index] ?? '', typeOf(key)))
    return place.length === 0 ? [] : [`(${keys.join(', ')}) > (${place.join(', ')})`]
  }

  readonly #where = (conditions: readonly string[]): string =>
    conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`

  #time(timeMs: number): string {
    return this.#parameter(new Date(timeMs), 'timestamptz')
  }

  #parameter(value: string | number | Date, type: string): string {
    return `$${this.#values.push(value)}::${type}`
  }
}

function startOf(unit: 'hour' | 'day' | 'month', timeMs: number): number {
  return unit === 'hour' ? timeMs : periodAt(unit, timeMs * 1000).fromUs / 1000
}

function typeOf(column: string): string {
  switch (column) {
    case 'account_id':
      return 'uuid'
    case 'period':
      return 'timestamptz'
    default:
      return 'text'
  }
}
