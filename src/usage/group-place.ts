/** What sums are grouped by, and where a page of such sums begins. */
import { invalid, isUuid } from '../admin/context.ts'
import { endOfTimeMs } from './usage-range.ts'

/** Where a page begins, and where the first one did. */
export interface GroupPlace {
  readonly fromMs: number
  readonly period: Date | null
  readonly group: readonly (string | null)[]
}

/** The schema has seen to the names; throws where one is there twice. */
export function readGroups<Name extends string>(groupBy: string | undefined): readonly Name[] {
  const names = groupBy?.split(',') ?? []
  if (new Set(names).size === names.length) return names as Name[]
  throw invalid('group_by', 'group_by has the same name twice: name each once.')
}

export const formatPlace = ({ fromMs, period, group }: GroupPlace): string =>
  JSON.stringify([fromMs, period?.getTime() ?? null, group])

interface Question {
  /** What times are whole numbers of. */
  readonly unitMs: number
  readonly hasPeriods: boolean
  readonly groupBy: readonly string[]
}

/** Undefined for what is no place in the answer to such a question; the database would refuse most of that. */
export function parsePlace(text: string, { unitMs, hasPeriods, groupBy }: Question): GroupPlace | undefined {
  const place = parseJson(text)
  if (!Array.isArray(place) || place.length !== 3) return undefined
  const [fromMs, periodMs, group] = place as unknown[]
  const isTime = (value: unknown): value is number =>
    typeof value === 'number' && value % unitMs === 0 && value >= 0 && value < endOfTimeMs
  if (!isTime(fromMs) || (hasPeriods ? !isTime(periodMs) : periodMs !== null)) return undefined
  if (!Array.isArray(group) || group.length !== groupBy.length) return undefined
  const isValue = (value: unknown, index: number) =>
    value === null ? groupBy[index] !== 'account' : isText(value) && (groupBy[index] !== 'account' || isUuid(value))
  if (!group.every(isValue)) return undefined
  return { fromMs, period: periodMs === null ? null : new Date(periodMs as number), group }
}

const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0')

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
