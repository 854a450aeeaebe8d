/** What was used, in sums, page by page. */
import type { Sql } from 'postgres'
import { readPage } from '../admin/page.ts'
import { formatUsd } from '../domain/money.ts'
import type { Page } from '../schemas/admin/list.ts'
import { sumNames, type UsageSumsView } from '../schemas/usage-list.ts'
import type { ReadUsage } from '../schemas/usage-query.ts'
import type { UsageDimension, UsageQuery } from '../store/usage-query.ts'
import { queryUsage, type UsageRow } from '../store/usage-sums.ts'
import { formatPlace, type GroupPlace, parsePlace, readGroups } from './group-place.ts'
import { hourMs, readHours } from './usage-range.ts'

/** What is asked for, but of what. */
export type SumsInput = Omit<ReadUsage, 'model' | 'key'>

interface PlacedRow extends UsageRow {
  readonly fromMs: number
}

export async function readSums(
  sql: Sql,
  { from, to, granularity, group_by, limit = 100, cursor }: SumsInput,
  filter: UsageQuery['filter'],
): Promise<Page<UsageSumsView>> {
  const groupBy = readGroups<UsageDimension>(group_by)
  const read = async (most: number, after: GroupPlace | null): Promise<readonly PlacedRow[]> => {
    const range = readHours({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, after?.fromMs)
    const rows = await queryUsage(sql, { range, granularity, groupBy, filter }, { limit: most, after })
    return rows.map(row => ({ ...row, fromMs: range.fromMs }))
  }
  return await readPage(
    { limit, ...(cursor !== undefined && { cursor }) },
    {
      read,
      positionOf: formatPlace,
      parsePosition: text => parsePlace(text, { unitMs: hourMs, hasPeriods: granularity !== 'none', groupBy }),
      view: row => viewOf(row, groupBy),
    },
  )
}

/** The columns of a table of them. */
export const sumColumnsOf = ({ granularity, group_by }: SumsInput): readonly string[] => [
  ...(granularity === 'none' ? [] : ['period']),
  ...readGroups(group_by),
  ...sumNames,
]

function viewOf({ period, group, sums }: UsageRow, groupBy: readonly UsageDimension[]): UsageSumsView {
  return {
    object: 'usage',
    period: period?.toISOString() ?? null,
    ...Object.fromEntries(groupBy.map((name, index) => [name, group[index] ?? null])),
    requests: sums.requests,
    unpriced_requests: sums.unpriced,
    estimated_requests: sums.estimated,
    input_tokens: sums.inputTokens,
    cached_input_tokens: sums.cachedInputTokens,
    output_tokens: sums.outputTokens,
    reasoning_tokens: sums.reasoningTokens,
    cost: formatUsd(sums.costNanoUsd),
    backend_ms: Number(sums.backendUs) / 1000,
    queue_ms: sums.queueMs,
    first_token_ms: sums.firstTokenMs,
    first_tokens: sums.firstTokens,
    total_ms: sums.totalMs,
  }
}
