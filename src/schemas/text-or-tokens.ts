import { Type } from './typebox.ts'

/** What completions and embeddings read: one text or many, as text or as token numbers. */
export type TextOrTokens = string | string[] | number[] | number[][]

const token = { type: 'integer', minimum: 0, maximum: 2_147_483_647 } as const
const maxTokens = 1_000_000

interface Bounds {
  readonly maxTexts: number
  /** The fewest characters of a text. */
  readonly minLength: 0 | 1
  readonly description: string
}

/** The four forms; none is empty. */
export function textOrTokens({ maxTexts, minLength, description }: Bounds) {
  return Type.Unsafe<TextOrTokens>({
    description,
    anyOf: [
      { type: 'string', minLength },
      { type: 'array', minItems: 1, maxItems: maxTexts, items: { type: 'string', minLength } },
      { type: 'array', minItems: 1, maxItems: maxTokens, items: token },
      {
        type: 'array',
        minItems: 1,
        maxItems: maxTexts,
        items: { type: 'array', minItems: 1, maxItems: maxTokens, items: token },
      },
    ],
  })
}
