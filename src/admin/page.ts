/** Pages of a list, by the key of the last entry and not by a count: what is added or removed meanwhile moves nothing. */
import type { Page } from '../schemas/admin/list.ts'
import { invalid, isUuid } from './context.ts'

const defaultLimit = 20

interface PageInput {
  readonly limit?: number
  readonly cursor?: string
}

interface Source<Entry, Position, View> {
  /** Entries behind a position, `limit` at most. */
  readonly read: (limit: number, before: Position | null) => Promise<readonly Entry[]>
  readonly positionOf: (entry: Entry) => string
  /** Undefined for what `positionOf` cannot have written. */
  readonly parsePosition: (text: string) => Position | undefined
  readonly view: (entry: Entry) => View
}

export async function readPage<Entry, Position, View>(
  { limit = defaultLimit, cursor }: PageInput,
  { read, positionOf, parsePosition, view }: Source<Entry, Position, View>,
): Promise<Page<View>> {
  const before = cursor === undefined ? null : parsePosition(Buffer.from(cursor, 'base64url').toString())
  if (before === undefined) throw invalid('cursor', 'cursor is not one that a page before has given.')
  const entries = await read(limit + 1, before)
  const data = entries.slice(0, limit)
  const last = data.at(-1)
  const hasMore = entries.length > limit && last !== undefined
  return {
    object: 'list',
    data: data.map(view),
    has_more: hasMore,
    next_cursor: hasMore ? Buffer.from(positionOf(last)).toString('base64url') : null,
  }
}

/** Of records that are ordered by their ids, which grow with time. */
export const byId = {
  positionOf: ({ id }: { readonly id: string }) => id,
  parsePosition: (text: string) => (isUuid(text) ? text : undefined),
}
