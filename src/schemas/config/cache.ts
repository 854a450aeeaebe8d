import { Type } from '../typebox.ts'
import { ByteSizeSchema, DurationSchema } from './units.ts'

/** Of one model: which of its answers may be given again. */
export const AnswerCacheSchema = Type.Object(
  {
    mode: Type.Unsafe<'off' | 'deterministic' | 'all'>(
      Type.String({
        enum: ['off', 'deterministic', 'all'],
        default: 'off',
        description: 'deterministic: only with temperature 0 or a seed.',
      }),
    ),
    ttl: DurationSchema({
      description: 'How long an answer may be replayed.',
      default: '1h',
      'x-weir-least': '1s',
      'x-weir-most': '24d',
    }),
    scope: Type.Unsafe<'account' | 'shared'>(
      Type.String({
        enum: ['account', 'shared'],
        default: 'account',
        description: 'shared: one account may be answered what another has asked.',
      }),
    ),
    toolCalls: Type.Boolean({
      default: false,
      description: 'Whether answers that call tools may be replayed as well.',
    }),
    priceShare: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'What a replayed answer costs, as a share of what it would cost anew; 0 is nothing.',
    }),
    semanticThreshold: Type.Optional(
      Type.Number({
        minimum: 0.5,
        maximum: 1,
        description: 'How near (cosine) a prompt must be to be answered alike; absent turns that off.',
        examples: [0.97],
        pending: 'semantic cache',
      }),
    ),
  },
  { additionalProperties: false, description: 'Whether its answers may be replayed.' },
)

/** Of all models together. */
export const CacheSchema = Type.Object(
  {
    maxSize: ByteSizeSchema({
      description: 'What all answers that are kept may take, in Redis or in this process.',
      default: '64MiB',
      'x-weir-least': '1MiB',
      'x-weir-most': '1024GiB',
    }),
    maxEntry: ByteSizeSchema({
      description: 'A larger answer is not kept.',
      default: '1MiB',
      'x-weir-least': '1KiB',
      'x-weir-most': '16MiB',
    }),
  },
  { additionalProperties: false, default: {}, description: 'Where answers are kept that may be replayed.' },
)
