/** The ledger as a list of events: what its sums have to be. */
import fc from 'fast-check'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import type { UsageEvent, UsageStatus } from '../../src/domain/usage-event.ts'
import { readSums, type SumRow, seriesColumns, type UsageSums } from '../../src/store/usage-columns.ts'
import { makeUsageEvent } from './usage.ts'

export const accounts = [1, 2, 3].map(digit => `0190000${digit}-0000-7000-8000-000000000000`)

/** Where periods meet: ends of months, of years, and of a February that has 29 days. */
const edges = ['2023-03-01', '2024-02-29', '2024-03-01', '2024-12-31', '2025-01-01', '2025-03-30', '2025-10-26']
  .map(day => Date.parse(day))
  .concat(Date.parse('2025-03-30T01:00:00Z'))

const time = fc
  .tuple(fc.constantFrom(...edges), fc.constantFrom(-7_200_000, -3_600_000, -1, 0, 1, 1_800_000, 3_599_999, 3_600_000))
  .map(([edgeMs, offsetMs]) => edgeMs + offsetMs)

const name = (...names: string[]) => fc.constantFrom(...names)
const maybe = (...names: string[]) => fc.constantFrom(null, ...names)
const count = fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 2 ** 40 }))

/** Events as different as they can be, but few enough of each kind to be summed up. */
export const anyUsageEvent: fc.Arbitrary<UsageEvent> = fc
  .record({
    atMs: time,
    accountId: name(...accounts),
    keyId: maybe('a'.repeat(16), 'b'.repeat(16)),
    tier: name('free', 'premium'),
    model: name('small', 'large'),
    answeredModel: maybe('small', 'large'),
    backend: maybe('one', 'two'),
    experiment: maybe('x'),
    arm: maybe('one', 'x'),
    endpoint: fc.constantFrom('chat' as const, 'embeddings' as const),
    status: fc.constantFrom<UsageStatus>('ok', 'partial', 'unknown'),
    priceVersion: maybe('v1', 'v2'),
    isEstimate: fc.boolean(),
    inputTokens: count,
    cachedInputTokens: count,
    outputTokens: count,
    reasoningTokens: fc.option(count),
    costNanoUsd: count,
    backendMs: fc.nat({ max: 10_000_000 }).map(us => us / 1000),
    queueMs: fc.nat({ max: 1000 }),
    firstTokenMs: fc.option(fc.nat({ max: 1000 })),
    totalMs: fc.nat({ max: 100_000 }),
  })
  .map(changes => makeUsageEvent({ ...changes, id: makeTimeOrderedId(changes.atMs) }))

/** Events in batches: each comes at least once, many more often, in the same batch or in others, in any order. */
export const anyBatches: fc.Arbitrary<readonly (readonly UsageEvent[])[]> = fc
  .array(anyUsageEvent, { minLength: 1, maxLength: 60 })
  .chain(events =>
    fc
      .array(fc.constantFrom(...events), { maxLength: 60 })
      .chain(again => fc.shuffledSubarray([...events, ...again], { minLength: events.length + again.length }))
      .chain(all =>
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 4, maxLength: 8 }).map(sizes => cut(all, sizes)),
      ),
  )

function cut(events: readonly UsageEvent[], sizes: readonly number[]): readonly (readonly UsageEvent[])[] {
  const batches: UsageEvent[][] = []
  for (let start = 0, turn = 0; start < events.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    batches.push(events.slice(start, start + size))
    start += size
  }
  return batches
}

export const distinct = (batches: readonly (readonly UsageEvent[])[]): readonly UsageEvent[] => [
  ...new Map(batches.flat().map(event => [event.id, event])).values(),
]

export function addUp(events: readonly UsageEvent[]): UsageSums {
  const sum = (value: (event: UsageEvent) => number) =>
    events.reduce((total, event) => total + BigInt(value(event)), 0n)
  return {
    requests: BigInt(events.length),
    unpriced: sum(({ priceVersion }) => Number(priceVersion === null)),
    estimated: sum(({ isEstimate }) => Number(isEstimate)),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    cachedInputTokens: sum(({ cachedInputTokens }) => cachedInputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    reasoningTokens: sum(({ reasoningTokens }) => reasoningTokens ?? 0),
    costNanoUsd: sum(({ costNanoUsd }) => costNanoUsd),
    backendUs: sum(({ backendMs }) => Math.round(backendMs * 1000)),
    queueMs: sum(({ queueMs }) => queueMs),
    firstTokenMs: sum(({ firstTokenMs }) => firstTokenMs ?? 0),
    firstTokens: sum(({ firstTokenMs }) => Number(firstTokenMs !== null)),
    totalMs: sum(({ totalMs }) => totalMs),
  }
}

/** Sums by what `keyOf` says. */
export function addUpBy(events: readonly UsageEvent[], keyOf: (event: UsageEvent) => string): Map<string, UsageSums> {
  const groups = Map.groupBy(events, keyOf)
  return new Map([...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, group]) => [key, addUp(group)]))
}

const seriesOf = (event: UsageEvent): readonly unknown[] => [
  ...[event.accountId, event.keyId, event.tier, event.model, event.answeredModel, event.backend],
  ...[event.experiment, event.arm, event.endpoint, event.status, event.priceVersion],
]

const tables = ['hourly', 'daily', 'monthly'].flatMap(unit => [`usage_${unit}`, `usage_${unit}_totals`])

/** Every row that the tables of sums have to have. */
export function modelOfSums(events: readonly UsageEvent[]): Map<string, UsageSums> {
  const ofAll = events.map(event => ({ ...event, accountId: '', keyId: null }))
  const rows = tables.flatMap(table => {
    const start = table.startsWith('usage_hourly') ? 13 : table.startsWith('usage_daily') ? 10 : 7
    const keyOf = (event: UsageEvent) =>
      JSON.stringify([
        table,
        new Date(event.atMs).toISOString().slice(0, start),
        ...seriesOf(event).map(value => value ?? ''),
      ])
    return [...addUpBy(table.endsWith('totals') ? ofAll : events, keyOf)]
  })
  return new Map(rows.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Every row that they have. */
export async function readAllSums(sql: Sql): Promise<Map<string, UsageSums>> {
  const rows = await Promise.all(
    tables.map(async table => {
      const found = await sql`select * from ${sql(table)} left join usage_series on id = series`
      return found.map(({ period, ...row }) => {
        const series = seriesColumns.map(column => row[column] ?? '')
        const end = table.startsWith('usage_hourly')
          ? ':00:00.000Z'
          : table.startsWith('usage_daily')
            ? 'T00'
            : '-01T00'
        return [
          JSON.stringify([table, period.toISOString().split(end)[0], ...series]),
          readSums({ ...row, unpriced: row['price_version'] === '' ? row['requests'] : '0' } as unknown as SumRow),
        ] as const
      })
    }),
  )
  return new Map(rows.flat().toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
