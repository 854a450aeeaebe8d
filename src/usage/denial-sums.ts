/** What limits have refused, page by page. */
import type { Sql } from 'postgres'
import { getAccount } from '../admin/context.ts'
import { readPage } from '../admin/page.ts'
import type { Principal } from '../domain/principal.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { DenialSumsView } from '../schemas/usage-list.ts'
import type { ListDenials, ReadDenials } from '../schemas/usage-query.ts'
import { type DenialDimension, type DenialQuery, type DenialRow, queryDenials } from '../store/usage-denials.ts'
import { formatPlace, type GroupPlace, parsePlace, readGroups } from './group-place.ts'
import { minuteMs, readMinutes } from './usage-range.ts'
import { keyToldTo, withoutAbsent } from './usage-scope.ts'

/** Anybody's, for administrators. */
export async function readDenials(sql: Sql, input: ListDenials): Promise<Page<DenialSumsView>> {
  const { account, key, tier, limit_name, of, ...asked } = input
  const accountId = account === undefined ? undefined : (await getAccount({ sql }, account, 'account')).id
  return await readSums(sql, asked, withoutAbsent({ account: accountId, key, tier, limit_name, of }))
}

/** A caller's own, as with what it has used. */
export async function readOwnDenials(
  sql: Sql,
  principal: Principal,
  { key, limit_name, of, ...asked }: ReadDenials,
): Promise<Page<DenialSumsView>> {
  const filter = { account: principal.accountId, key: keyToldTo(principal, key), limit_name, of }
  return await readSums(sql, asked, withoutAbsent(filter))
}

/** The columns of a table of them. */
export const denialColumnsOf = ({ granularity, group_by }: DenialsInput): readonly string[] => [
  ...(granularity === 'none' ? [] : ['period']),
  ...readGroups(group_by),
  'denials',
]

/** What is asked for, but of what. */
type DenialsInput = Pick<ReadDenials, 'from' | 'to' | 'granularity' | 'group_by' | 'limit' | 'cursor'>

interface PlacedRow extends DenialRow {
  readonly fromMs: number
}

async function readSums(
  sql: Sql,
  { from, to, granularity, group_by, limit = 100, cursor }: DenialsInput,
  filter: DenialQuery['filter'],
): Promise<Page<DenialSumsView>> {
  const groupBy = readGroups<DenialDimension>(group_by)
  const read = async (most: number, after: GroupPlace | null): Promise<readonly PlacedRow[]> => {
    const range = readMinutes({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, after?.fromMs)
    const rows = await queryDenials(sql, { range, granularity, groupBy, filter }, { limit: most, after })
    return rows.map(row => ({ ...row, fromMs: range.fromMs }))
  }
  return await readPage(
    { limit, ...(cursor !== undefined && { cursor }) },
    {
      read,
      positionOf: formatPlace,
      parsePosition: text => parsePlace(text, { unitMs: minuteMs, hasPeriods: granularity !== 'none', groupBy }),
      view: ({ period, group, denials }) => ({
        object: 'denials',
        period: period?.toISOString() ?? null,
        ...Object.fromEntries(groupBy.map((name, index) => [name, group[index] ?? null])),
        denials,
      }),
    },
  )
}
