import { NullableBoolean, NullableInteger, NullableNumber, NullableText, storedText } from './fields.ts'
import { Type } from './typebox.ts'

/** More than any engine can give in one answer; a model's own `maxOutputTokens` is the bound that counts. */
export const maxOutputTokensBound = 10_000_000

export const modelField = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 256,
    ...storedText,
    description: 'The name or an alias of a model; may be left out where there is only one.',
  }),
)

export const userField = Type.Optional(
  Type.String({ maxLength: 1024, ...storedText, description: 'Accepted, not forwarded.' }),
)

/** The request's own word of the cache. */
export type CacheField =
  | boolean
  | {
      readonly no_cache?: boolean | null
      readonly no_store?: boolean | null
      /** In seconds. */
      readonly max_age?: number | null
    }

/** Ours, not OpenAI's: what a request says of the cache itself. */
export const cacheField = Type.Optional(
  Type.Unsafe<CacheField | null>({
    type: ['boolean', 'object', 'null'],
    properties: {
      no_cache: NullableBoolean('Ask the model again; its answer takes the place of the one that is kept.'),
      no_store: NullableBoolean('Neither look for an answer nor keep it.'),
      max_age: NullableInteger(0, 999_999_999, 'The oldest answer that is taken, in seconds.'),
    },
    additionalProperties: false,
    description:
      'Whether an answer may be one that was given before, where the model has a cache; `false` is `no_store`.',
  }),
)

const StreamOptionsSchema = Type.Object(
  {
    include_usage: Type.Optional(NullableBoolean('A last chunk carries the usage.')),
    include_obfuscation: Type.Optional(NullableBoolean('Accepted, not forwarded.')),
  },
  { description: 'Only with `stream: true`.' },
)

/** What chat and text completions share. */
export const samplingFields = {
  model: modelField,
  user: userField,
  cache: cacheField,
  stream: Type.Optional(NullableBoolean('Answer by server-sent events.')),
  stream_options: Type.Optional(
    Type.Unsafe<{ include_usage?: boolean | null; include_obfuscation?: boolean | null } | null>({
      ...StreamOptionsSchema,
      type: ['object', 'null'],
    }),
  ),
  n: Type.Optional(NullableInteger(1, 128, 'How many answers.')),
  seed: Type.Optional(NullableInteger(-(2 ** 63), 2 ** 63, 'The same seed, the same answer, at best effort.')),
  stop: Type.Optional(
    Type.Unsafe<string | string[] | null>({
      type: ['string', 'array', 'null'],
      minLength: 1,
      maxLength: 1024,
      maxItems: 16,
      items: { type: 'string', minLength: 1, maxLength: 1024 },
      description: 'Up to 16 texts that end the answer.',
    }),
  ),
  temperature: Type.Optional(NullableNumber(0, 2, 'Randomness of the choice of tokens.')),
  top_p: Type.Optional(NullableNumber(0, 1, 'Choose among the likeliest tokens that have this probability together.')),
  top_k: Type.Optional(NullableInteger(-1, 100_000, 'Choose among this many tokens; 0 or -1 for all.')),
  min_p: Type.Optional(NullableNumber(0, 1, 'Leave out tokens less likely than this share of the likeliest.')),
  typical_p: Type.Optional(NullableNumber(0, 1, 'Locally typical sampling.')),
  repeat_penalty: Type.Optional(NullableNumber(0, 2, 'Over 1 makes repetition less likely.')),
  frequency_penalty: Type.Optional(NullableNumber(-2, 2, 'Over 0 makes frequent tokens less likely.')),
  presence_penalty: Type.Optional(NullableNumber(-2, 2, 'Over 0 makes tokens that occurred less likely.')),
  logit_bias: Type.Optional(
    Type.Unsafe<Record<string, number> | null>({
      type: ['object', 'null'],
      maxProperties: 1024,
      propertyNames: { pattern: '^[0-9]{1,9}$', 'x-expects': 'the number of a token' },
      additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
      description: 'Token number to bias.',
    }),
  ),
  max_tokens: Type.Optional(NullableInteger(1, maxOutputTokensBound, 'The most tokens an answer may have.')),
} as const

/** OpenAI's `metadata`: accepted, not forwarded. */
export const metadataField = Type.Optional(
  Type.Unsafe<Record<string, string> | null>({
    type: ['object', 'null'],
    maxProperties: 16,
    propertyNames: { maxLength: 64, ...storedText },
    additionalProperties: { type: 'string', maxLength: 512, ...storedText },
    description: 'Accepted, not forwarded.',
  }),
)

export const shortTextField = Type.Optional(
  NullableText({ maxLength: 1024, ...storedText, description: 'Accepted, not forwarded.' }),
)
