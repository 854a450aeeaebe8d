import { Type } from '../typebox.ts'

export const LogSchema = Type.Object(
  {
    level: Type.Unsafe<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>(
      Type.String({
        enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
        default: 'info',
        description: 'The least that is logged.',
      }),
    ),
    sampleSuccesses: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description: 'The share of requests that went well whose line is logged; all others always are.',
      examples: [0.01],
    }),
  },
  { additionalProperties: false, default: {}, description: 'Its log.' },
)
