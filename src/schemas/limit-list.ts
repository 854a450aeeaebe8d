/** What a caller is told of its own limits. */
import { NullableTimeSchema } from './admin/fields.ts'
import { type Static, Type } from './typebox.ts'

const Amount = (description: string) =>
  Type.Union([Type.Integer(), Type.String({ pattern: '^[0-9]+(\\.[0-9]{1,9})?$' })], { description })

const KnownAmount = (description: string) =>
  Type.Union([...Amount(description).anyOf, Type.Null()], {
    description: `${description} Null while nobody can say how much was used.`,
  })

const LimitViewSchema = Type.Object(
  {
    object: Type.Literal('limit'),
    name: Type.String({ description: 'As in the admin API: requests_per_minute, tokens_per_month, spend_per_day, …' }),
    of: Type.Unsafe<'account' | 'key'>(
      Type.String({
        enum: ['account', 'key'],
        description: "Whose it is; all keys of an account count for the account's.",
      }),
    ),
    limit: Amount(
      'The most at once: requests or tokens as a number, USD as decimal text. Of a tier with a burst, the burst.',
    ),
    used: KnownAmount('With what is held for requests that still run, which is as much as they may take.'),
    remaining: KnownAmount('Never below 0.'),
    resets_at: NullableTimeSchema(
      'When a rate is whole again if nothing more is used, or the period ends; null for requests in flight, and for a rate of which nobody can say how much was used.',
    ),
  },
  { title: 'Limit' },
)
export type LimitView = Static<typeof LimitViewSchema>

export const LimitListSchema = Type.Object(
  {
    object: Type.Literal('list'),
    tier: Type.String(),
    counted: Type.Unsafe<'together' | 'alone'>(
      Type.String({
        enum: ['together', 'alone'],
        description:
          'alone: this server cannot reach the store of counts at the moment and keeps to its own part of each limit.',
      }),
    ),
    data: Type.Array(LimitViewSchema),
  },
  { title: 'LimitList' },
)
export type LimitList = Static<typeof LimitListSchema>
