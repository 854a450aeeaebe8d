/** Limits in the words of the admin API; accounts and keys have the same ones. */
import { NullableInteger, NullableText } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'

const counts = {
  requests_per_minute: 'Requests a minute, refilled evenly.',
  tokens_per_minute: 'Tokens a minute, in and out, refilled evenly.',
  requests_per_day: 'Requests a day, refilled evenly.',
  tokens_per_day: 'Tokens a day, in and out, refilled evenly.',
  requests_in_flight: 'Requests at the same time.',
  tokens_per_month: 'Tokens per calendar month, UTC, in and out.',
} as const

const amounts = {
  spend_per_day: 'USD per calendar day, UTC.',
  spend_per_month: 'USD per calendar month, UTC.',
} as const

export const limitNames = [...Object.keys(counts), ...Object.keys(amounts)] as readonly (
  | keyof typeof counts
  | keyof typeof amounts
)[]

const countRange = { minimum: 0, maximum: 1_000_000_000_000 } as const
const amountForm = {
  pattern: '^(?:9000000(?:\\.0{1,9})?|(?:0|[1-9][0-9]{0,5}|[1-8][0-9]{6})(?:\\.[0-9]{1,9})?)$',
  'x-expects': 'an amount of USD as decimal text such as "12.50", of 9000000 at the most',
} as const

const fields = <Count, Amount>(count: (text: string) => Count, amount: (text: string) => Amount) => ({
  requests_per_minute: count(counts.requests_per_minute),
  tokens_per_minute: count(counts.tokens_per_minute),
  requests_per_day: count(counts.requests_per_day),
  tokens_per_day: count(counts.tokens_per_day),
  requests_in_flight: count(counts.requests_in_flight),
  tokens_per_month: count(counts.tokens_per_month),
  spend_per_day: amount(amounts.spend_per_day),
  spend_per_month: amount(amounts.spend_per_month),
})

export const AccountLimitsSchema = Type.Object(
  fields(
    text => Type.Optional(NullableInteger(countRange.minimum, countRange.maximum, text)),
    text => Type.Optional(NullableText({ ...amountForm, description: text })),
  ),
  {
    title: 'AccountLimits',
    additionalProperties: false,
    description:
      "What differs from the limits of the account's tier; null is without limit. Where it has requests_per_minute, the tier's burst does not count.",
  },
)

/** What is absent is the tier's, or not limited; null is without limit. A count is a whole number, money decimal text. */
export type Limits = Readonly<Static<typeof AccountLimitsSchema>>

export const KeyLimitsSchema = Type.Object(
  fields(
    text => Type.Optional(Type.Integer({ ...countRange, description: text })),
    text => Type.Optional(Type.String({ ...amountForm, description: text })),
  ),
  {
    title: 'KeyLimits',
    additionalProperties: false,
    description: "Of the key's own, beside the account's: both hold, so a key can only be narrower.",
  },
)

/** Null takes away all that was said before. */
const orNone = <Value>(schema: object, title: string) =>
  Type.Unsafe<Value | null>({ ...schema, type: ['object', 'null'], title })

/** Without null: a key can only be narrower than its account. */
export type KeyLimits = Readonly<Static<typeof KeyLimitsSchema>>

export const NewAccountLimitsSchema = orNone<Limits>(AccountLimitsSchema, 'NewAccountLimits')
export const NewKeyLimitsSchema = orNone<KeyLimits>(KeyLimitsSchema, 'NewKeyLimits')
