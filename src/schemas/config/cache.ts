import type { GuardLevel } from '../guard-level.ts'
import { Type } from '../typebox.ts'
import { ByteSizeSchema, DurationSchema } from './units.ts'

/** Of one model: when a question is near enough to another one to be answered alike. */
const SemanticCacheSchema = Type.Object(
  {
    embeddingModel: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'The model that makes vectors of questions; it has to serve embeddings.',
      examples: ['bge-m3'],
    }),
    threshold: Type.Number({
      minimum: 0.8,
      maximum: 1,
      default: 0.97,
      description: 'How near (cosine) another question must be.',
    }),
    guard: Type.Unsafe<GuardLevel>(
      Type.String({
        enum: ['words', 'facts'],
        default: 'words',
        description:
          'What must be the same besides: every word that says something, or numbers, negations, names and quotations.',
      }),
    ),
    depth: Type.Integer({
      minimum: 1,
      maximum: 16,
      default: 1,
      description: 'How many turns of the user a conversation may have; those before the last must be the same.',
    }),
    budget: DurationSchema({
      description: 'How long is looked; after that it is a miss.',
      default: '150ms',
      'x-weir-least': '10ms',
      'x-weir-most': '5s',
    }),
  },
  {
    additionalProperties: false,
    description: 'Answers a question as one that means the same, for keys that ask for it (semantic_cache).',
  },
)

const exactFields = {
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
} as const

const closedCache = { additionalProperties: false, description: 'Whether its answers may be replayed.' } as const

/** Of one model: which of its answers may be given again. */
export const AnswerCacheSchema = Type.Object(
  { ...exactFields, semantic: Type.Optional(SemanticCacheSchema) },
  closedCache,
)

/** Of the embedded engine's model, which nothing embeds questions for. */
export const EngineCacheSchema = Type.Object(exactFields, closedCache)

/** Of all models together. */
export const CacheSchema = Type.Object(
  {
    maxSize: ByteSizeSchema({
      description: 'What all answers that are kept may take, in Redis or in this process.',
      default: '64MiB',
      'x-weir-least': '1MiB',
      'x-weir-most': '1024GiB',
    }),
    maxQuestions: Type.Integer({
      minimum: 100,
      maximum: 1_000_000,
      default: 5000,
      description: 'How many questions are kept in the database to be found by their meaning.',
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
