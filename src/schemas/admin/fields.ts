/** The kinds of field that accounts, keys and the audit log are made of. */
import { type ScopeName, scopeNames } from '../config/tiers.ts'
import { OneOfTexts } from '../fields.ts'
import { Type } from '../typebox.ts'

/** No unknown field is taken: one that is misspelt would be a limit or a scope that nobody gets. */
export const closed = { additionalProperties: false } as const

/** As storedText, and free of the other control characters that terminals obey: commands show it. */
export const shownText = {
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  'x-expects': 'free of control characters',
} as const

export const NameSchema = (description: string) =>
  Type.String({ minLength: 1, maxLength: 128, ...shownText, description })

export const TierNameSchema = (description: string) =>
  Type.String({ minLength: 1, maxLength: 63, ...shownText, description })

/** Whether it is a real time is for the operation to say: see parseTime. */
export const TimeSchema = (description: string) =>
  Type.String({
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\\.[0-9]{1,6})?)?Z$',
    'x-expects': 'a time in UTC such as 2030-01-31T00:00:00Z',
    description,
  })

export const NullableTimeSchema = (description: string) =>
  Type.Unsafe<string | null>({ ...TimeSchema(description), type: ['string', 'null'] })

const scopeList = {
  minItems: 1,
  maxItems: scopeNames.length,
  uniqueItems: true,
  items: OneOfTexts(scopeNames),
} as const
const modelList = {
  minItems: 1,
  maxItems: 256,
  uniqueItems: true,
  items: Type.String({ minLength: 1, maxLength: 256, ...shownText }),
} as const

/** Null takes all of the tier's. */
export const KeyScopesSchema = Type.Unsafe<readonly ScopeName[] | null>({
  type: ['array', 'null'],
  ...scopeList,
  description: "What the key may do, of what its account's tier may; null is all of that.",
})

export const KeyModelsSchema = Type.Unsafe<readonly string[] | null>({
  type: ['array', 'null'],
  ...modelList,
  description: "Models that the key may use, of those that its account's tier may; * stands for any run of characters.",
})

export type Metadata = Readonly<Record<string, string>>

export const MetadataSchema = Type.Unsafe<Metadata>({
  type: 'object',
  maxProperties: 16,
  propertyNames: {
    type: 'string',
    minLength: 1,
    maxLength: 64,
    ...shownText,
    'x-expects': 'at most 64 characters, none of them a control character',
  },
  additionalProperties: { type: 'string', maxLength: 512, ...shownText },
  description: 'Up to 16 texts of your own.',
})

export const IdempotencyHeadersSchema = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[ -~]*$',
      'x-expects': 'printable ASCII',
      description: 'Sent again with the same key and body, the request is answered with what it made the first time.',
    }),
  ),
})
export interface IdempotencyHeaders {
  readonly 'idempotency-key'?: string
}
