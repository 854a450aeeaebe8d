/** What is posted to webhooks. */
import { NullableText, OneOfTexts } from './fields.ts'
import { type Static, Type } from './typebox.ts'

const Amount = (description: string) => Type.Unsafe<number | string>({ type: ['integer', 'string'], description })

export const WebhookEventSchema = Type.Object(
  {
    id: Type.String({ description: 'The same whenever it is posted again.' }),
    type: Type.Literal('limit.threshold'),
    created_at: Type.String(),
    account: Type.Object({ id: Type.String(), name: Type.String() }, { description: 'Whose limit, or whose key.' }),
    key: NullableText({ description: 'The public id of the key that has the limit; null where the account has it.' }),
    limit: OneOfTexts(['tokens_per_month', 'spend_per_day', 'spend_per_month']),
    period: Type.String({ description: 'The month or the day, UTC: `2026-11`, `2026-11-24`.' }),
    threshold_percent: Type.Integer(),
    used: Amount('When it was noticed: tokens as a number, USD as decimal text.'),
    size: Amount('The whole limit at that time.'),
    unit: OneOfTexts(['tokens', 'usd']),
  },
  { title: 'WebhookEvent', description: 'An account or a key has used so much of a quota or a spend limit.' },
)
export type WebhookEvent = Static<typeof WebhookEventSchema>
