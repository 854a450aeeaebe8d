/** What was used, from the sums of hours and days. */
import type { ISql, Row } from 'postgres'
import { withDeadline } from './deadline.ts'
import { readSums, type SumRow, type UsageSums } from './usage-columns.ts'
import { buildUsageStatements, type UsagePosition, type UsageQuery } from './usage-query.ts'

export interface UsageRow extends UsagePosition {
  readonly sums: UsageSums
}

interface SelectedRow extends SumRow {
  readonly period: Date | null
  readonly [groupColumn: `group_${number}`]: string | null
}

/**
 * Sums, `limit` rows at most, of those behind the row at `after`: oldest first, then by the values of the groups, what has
 * none first. Throws a RangeError for a range of other than whole hours.
 */
export async function queryUsage(
  sql: ISql,
  query: UsageQuery,
  { limit, after }: { limit: number; after: UsagePosition | null },
): Promise<readonly UsageRow[]> {
  const found: UsageRow[] = []
  for (const { text, values } of buildUsageStatements(query, { limit, after })) {
    if (found.length >= limit) break
    // Not prepared: there are more forms of it than a connection should remember, and the range decides on the best plan.
    const rows = await withDeadline(sql.unsafe<(Row & SelectedRow)[]>(text, [...values]))
    for (const row of rows.slice(0, limit - found.length)) {
      const group = query.groupBy.map((_, index) => row[`group_${index}`] ?? null)
      found.push({ period: row.period, group, sums: readSums(row) })
    }
  }
  return found
}
