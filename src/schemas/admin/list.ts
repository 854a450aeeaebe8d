/** Lists of the admin API: newest first, page by page. */
import { type TSchema, Type } from '../typebox.ts'

export const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Entries of one page; 20 when absent.' })),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 256, description: '`next_cursor` of the page before.' }),
  ),
}

export interface Page<Item> {
  readonly object: 'list'
  readonly data: readonly Item[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

export const ListSchema = (title: string, item: TSchema) =>
  Type.Object(
    {
      object: Type.Literal('list'),
      data: Type.Array(item),
      has_more: Type.Boolean({ description: 'Whether there is a page behind this one.' }),
      next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Where it begins.' }),
    },
    { title },
  )
