import { Type } from '../typebox.ts'
import { DurationSchema, MoneySchema } from './units.ts'

export const scopeNames = ['chat', 'completions', 'embeddings', 'models', 'usage', 'admin'] as const
export type ScopeName = (typeof scopeNames)[number]
/** What a route asks of its caller: a scope, any credential that is let in (`any`), or nothing (`public`). */
export type RouteScope = ScopeName | 'any' | 'public'

const Count = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000_000, description }))

export const TierSchema = Type.Object(
  {
    scopes: Type.Array(Type.Unsafe<ScopeName>(Type.String({ enum: [...scopeNames] })), {
      default: ['chat', 'completions', 'embeddings', 'models', 'usage'],
      uniqueItems: true,
      description: 'What its callers may do.',
    }),
    models: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      default: ['*'],
      description: 'Models they may use; * stands for any run of characters.',
    }),
    maxTokens: Type.Object(
      {
        default: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'When the caller gives no bound.' }),
        ),
        cap: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'The most a caller may ask for.' }),
        ),
      },
      {
        additionalProperties: false,
        default: {},
        description: 'Output tokens of one answer; limits in tokens and money take as many before it runs.',
      },
    ),
    limits: Type.Object(
      {
        requestsPerMinute: Count('Requests a minute, refilled evenly.'),
        tokensPerMinute: Count('Tokens a minute, in and out, refilled evenly.'),
        requestsPerDay: Count('Requests a day, refilled evenly.'),
        tokensPerDay: Count('Tokens a day, in and out, refilled evenly.'),
        requestsInFlight: Count('Requests at the same time.'),
        burst: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 1_000_000_000_000,
            description:
              'Of requests per minute, how many can be saved up and sent at once; requestsPerMinute itself when absent.',
          }),
        ),
      },
      {
        additionalProperties: false,
        default: {},
        description: 'Rates over a window, of an account with all its keys; what is absent is not limited.',
      },
    ),
    quotas: Type.Object(
      { tokensPerMonth: Count('Tokens per calendar month, UTC, in and out.') },
      { additionalProperties: false, default: {}, description: 'A total per period.' },
    ),
    spendLimits: Type.Object(
      {
        perDay: Type.Optional(
          MoneySchema({ decimals: 9, description: 'USD per calendar day, UTC.', 'x-weir-most': '9000000' }),
        ),
        perMonth: Type.Optional(
          MoneySchema({ decimals: 9, description: 'USD per calendar month, UTC.', 'x-weir-most': '9000000' }),
        ),
      },
      { additionalProperties: false, default: {}, description: 'Money per period, by the prices of models.' },
    ),
    priority: Type.Integer({
      minimum: 0,
      maximum: 100,
      default: 50,
      description: 'Higher goes first when requests queue.',
    }),
    queueWait: DurationSchema({
      description: 'The longest wait for slots, of all tries and fallbacks together.',
      default: '30s',
      'x-weir-least': '0s',
    }),
    totalDeadline: DurationSchema({
      description: 'The longest one request may take; x-request-timeout-ms asks for less.',
      default: '30m',
    }),
    routingHeaders: Type.Boolean({
      default: false,
      description: 'Tell its callers the backend, the attempts and the model there; administrators are always told.',
    }),
    whenLimiterDown: Type.Unsafe<'local' | 'closed'>(
      Type.String({
        enum: ['local', 'closed'],
        default: 'local',
        description: "While Redis does not answer: this replica's part of each limit, or refuse with 503.",
      }),
    ),
  },
  { additionalProperties: false, description: 'What a class of accounts may do and use.' },
)
