import { Type } from '../typebox.ts'
import { AnswerCacheSchema } from './cache.ts'
import { MoneySchema } from './units.ts'

/** `*` stands for any run of characters where models are allowed, so no name may have it. */
export const modelNamePattern = '^[^\\s*\\u0000-\\u001f\\u007f]{1,256}$'
export const modelNameForm = 'a name of at most 256 characters without spaces and *'

export const endpointNames = ['chat', 'completions', 'embeddings'] as const
export type EndpointName = (typeof endpointNames)[number]

const EndpointsSchema = (description: string) =>
  Type.Array(Type.Unsafe<EndpointName>(Type.String({ enum: [...endpointNames] })), {
    minItems: 1,
    uniqueItems: true,
    description,
  })

const PriceSchema = Type.Object(
  {
    from: Type.String({ format: 'date', description: 'The first day it holds, UTC.', examples: ['2026-01-31'] }),
    input: Type.Optional(MoneySchema({ decimals: 6, description: 'USD per million input tokens.' })),
    cachedInput: Type.Optional(
      MoneySchema({
        decimals: 6,
        description: 'USD per million input tokens that the prompt cache had; input when absent.',
      }),
    ),
    output: Type.Optional(MoneySchema({ decimals: 6, description: 'USD per million output tokens.' })),
    perSecond: Type.Optional(
      MoneySchema({
        decimals: 9,
        description: 'USD per second of backend time, instead of per token.',
        'x-weir-most': '9000000',
      }),
    ),
  },
  { additionalProperties: false, description: 'What it costs from a day on.' },
)

const TargetSchema = Type.Object(
  {
    backend: Type.String({ description: 'A name under `backends`.' }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "The backend's own name for the model; the public name when absent.",
      }),
    ),
    weight: Type.Integer({
      minimum: 0,
      maximum: 1000,
      default: 1,
      description: 'Its share among the targets; 0 takes no traffic.',
    }),
    endpoints: Type.Optional(EndpointsSchema('What this target serves, when less than the model does.')),
    arm: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9-]{1,32}$',
        'x-weir-form': 'at most 32 small letters, digits and hyphens',
        description: "Its arm of the model's experiment.",
        examples: ['control'],
      }),
    ),
    prices: Type.Optional(
      Type.Array(PriceSchema, {
        description: "What it costs where this target answers; the model's prices where none of these has begun.",
      }),
    ),
  },
  { additionalProperties: false, description: 'The model on one backend.' },
)

export const ModelSchema = Type.Object(
  {
    aliases: Type.Array(Type.String({ pattern: modelNamePattern, 'x-weir-form': modelNameForm }), {
      default: [],
      uniqueItems: true,
      description: 'Other names for it.',
    }),
    endpoints: Type.Optional(EndpointsSchema('What it serves; chat and completions when absent.')),
    contextLength: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000_000,
        description: 'Tokens of prompt and answer together; asked of the backend when absent.',
      }),
    ),
    maxOutputTokens: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 4096,
      description: 'The most one answer may have; also sent when the caller gives no bound.',
    }),
    targets: Type.Array(TargetSchema, { minItems: 1, description: 'Where it runs.' }),
    fallback: Type.Optional(Type.String({ description: 'The model that answers when no target of this one can.' })),
    promptCache: Type.Unsafe<'shared' | 'account'>(
      Type.String({
        enum: ['shared', 'account'],
        default: 'shared',
        description: 'account: nobody learns from cached_tokens what others asked.',
      }),
    ),
    imageTokens: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 1024,
      description: 'What one image counts when tokens are reserved.',
    }),
    prices: Type.Array(PriceSchema, {
      default: [],
      description: 'Newest last; each holds from its day on. Spend limits count by them.',
    }),
    revision: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'Change it when the weights change: cached answers of older revisions are not used.',
      }),
    ),
    cache: Type.Optional(AnswerCacheSchema),
    experiment: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            pattern: '^[a-z0-9-]{1,64}$',
            'x-weir-form': 'at most 64 small letters, digits and hyphens',
            description: 'How reports and the admin API call it.',
            examples: ['new-quantisation'],
          }),
          stickBy: Type.String({
            pattern: '^[A-Za-z0-9-]{1,64}$',
            'x-weir-form': '`account` or the name of a request header',
            default: 'account',
            description: '`account` or the name of a request header.',
          }),
          shadow: Type.Boolean({
            default: false,
            description: 'Callers have the control; other arms get copies, whose answers are discarded.',
          }),
        },
        { additionalProperties: false, description: 'Its targets are arms that are compared.' },
      ),
    ),
  },
  { additionalProperties: false, description: 'A model as callers name it.' },
)
