/** Tiers as the admin API shows them; they are changed in weir.yaml. */
import { type ScopeName, scopeNames } from '../config/tiers.ts'
import { OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'

const Count = Type.Optional(Type.Integer())

export const TierViewSchema = Type.Object(
  {
    object: Type.Literal('tier'),
    name: Type.String(),
    scopes: Type.Unsafe<readonly ScopeName[]>(Type.Array(OneOfTexts(scopeNames))),
    models: Type.Unsafe<readonly string[]>(Type.Array(Type.String())),
    limits: Type.Object(
      {
        requests_per_minute: Count,
        tokens_per_minute: Count,
        requests_per_day: Count,
        tokens_per_day: Count,
        requests_in_flight: Count,
        burst: Count,
      },
      {
        description:
          'Rates over a window, of an account with all its keys; what is absent is not limited. burst is how many requests per minute can be saved up.',
      },
    ),
    quotas: Type.Object({ tokens_per_month: Count }, { description: 'A total per calendar period, UTC.' }),
    spend_limits: Type.Object(
      { per_day: Type.Optional(Type.String()), per_month: Type.Optional(Type.String()) },
      { description: 'USD per calendar period, UTC, as decimal text.' },
    ),
    max_tokens: Type.Object({ default: Count, cap: Count }, { description: 'Output tokens of one answer.' }),
    priority: Type.Integer({ description: 'Higher goes first when requests queue.' }),
    queue_wait_ms: Type.Integer({ description: 'The longest wait for a slot.' }),
    total_deadline_ms: Type.Integer({ description: 'The longest one request may take.' }),
  },
  { title: 'Tier' },
)
export type TierView = Static<typeof TierViewSchema>
