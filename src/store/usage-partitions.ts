/** The months that the ledger of usage is kept in. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ISql } from 'postgres'
import { withDeadline } from './deadline.ts'

/** The month of now and those after it that have a partition before anything comes for them. */
const monthsAhead = 2

/**
 * Makes the partitions that will be needed next. Safe with several replicas at once, and beside inserts. Whoever inserts
 * makes what is missing as well; called each day, this spares the first batch of a month the wait.
 */
export async function makeUsagePartitions(sql: ISql, nowMs: number): Promise<void> {
  await withDeadline(sql`
    select count(*) filter (where weir_make_usage_partition(month at time zone 'UTC'))
    from (select date_trunc('month', ${new Date(nowMs)}::timestamptz at time zone 'UTC')) as this (first),
         lateral generate_series(first, first + ${monthsAhead}::int * interval '1 month', interval '1 month') as month`)
}

const lockNotAvailable = '55P03'
const pauseMs = 50

/**
 * Drops the events of all months before the one that `month` (the first instant of it, UTC) begins; their sums stay. Returns
 * how many months there were. Events of those months are refused from then on. Nobody waits for it longer than a tenth of a
 * second; where others use the table all the time, it tries again, and throws the driver's error (55P03) after `timeoutMs`.
 */
export async function dropUsageBefore(sql: ISql, month: Date, timeoutMs: number): Promise<number> {
  const endsAtMs = performance.now() + timeoutMs
  for (let dropped = 0; ; ) {
    try {
      const [row] = await withDeadline(sql<{ name: string | null }[]>`
        select weir_drop_usage_partition(${month}) as name`)
      if (row === undefined || row.name === null) return dropped
      dropped += 1
    } catch (error) {
      const isBusy = error instanceof Error && 'code' in error && error.code === lockNotAvailable
      if (!isBusy || performance.now() > endsAtMs) throw error
      await delay(pauseMs)
    }
  }
}

/** By the clock of the database. */
export async function findNow(sql: ISql): Promise<Date> {
  const [row] = await withDeadline(sql<[{ now: Date }]>`select now() as now`)
  return row.now
}
