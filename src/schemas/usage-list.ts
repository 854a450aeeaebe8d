/** What is answered of what was used. */
import { usdForm } from './answer-parts.ts'
import { endpointNames } from './config/models.ts'
import { NullableText, OneOfTexts } from './fields.ts'
import { type Static, type TSchema, Type } from './typebox.ts'
import { usageStatuses } from './usage-query.ts'

/** Sums may be larger than a number holds: they are written to the last digit. */
const Sum = (description: string) => Type.Unsafe<bigint>({ type: 'integer', minimum: 0, description })
const Group = (description: string) => Type.Optional(NullableText({ description }))

const sumFields = {
  requests: Sum('Requests that were sent to a backend, or were about to be.'),
  unpriced_requests: Sum('How many of them had a model without a price, and so cost 0.'),
  estimated_requests: Sum("How many of them have tokens that are not the engine's word."),
  input_tokens: Sum('Tokens of prompts, cached ones included.'),
  cached_input_tokens: Sum('Those of them that a prompt cache had.'),
  output_tokens: Sum('Tokens of answers, those of reasoning included.'),
  reasoning_tokens: Sum('Those of them that engines have called reasoning.'),
  cost: Type.String({
    pattern: usdForm,
    description: 'USD as decimal text, exact: the sum of the costs of the requests.',
  }),
  backend_ms: Type.Number({ minimum: 0, description: 'How long backends were busy with them, in milliseconds.' }),
  queue_ms: Sum('How long they waited for a place on a backend, all together.'),
  first_token_ms: Sum('How long it took from each request to its first content, all together.'),
  first_tokens: Sum('How many had content: what `first_token_ms` is to be divided by.'),
  total_ms: Sum('How long they took, all together.'),
}

export const UsageSumsSchema = Type.Object(
  {
    object: Type.Literal('usage'),
    period: NullableText({ description: 'When the hour, day or month begins; null for all of the time.' }),
    account: Group('Its id. This and the like are there where they are in `group_by`; null is what has none.'),
    key: Group('Its public id; null for tokens of identity providers and the preset admin key.'),
    model: Group('As it was asked for.'),
    tier: Group('Its name.'),
    backend: Group('Which has answered.'),
    experiment: Group('Its name.'),
    arm: Group('Its name.'),
    endpoint: Group('chat, completions or embeddings.'),
    status: Group('How they ended.'),
    ...sumFields,
  },
  { title: 'UsageSums' },
)
export type UsageSumsView = Static<typeof UsageSumsSchema>
export const sumNames: readonly string[] = Object.keys(sumFields)

export const DenialSumsSchema = Type.Object(
  {
    object: Type.Literal('denials'),
    period: NullableText({ description: 'When the minute, hour or day begins; null for all of the time.' }),
    account: Group('Its id. This and the like are there where they are in `group_by`.'),
    key: Group('Its public id; null for tokens of identity providers.'),
    tier: Group('The name of the tier that the caller had.'),
    limit_name: Group('The name of the limit.'),
    of: Group("Whose limit it is, `account` or the key's own, `key`."),
    denials: Sum('Requests that were refused.'),
  },
  { title: 'DenialSums' },
)
export type DenialSumsView = Static<typeof DenialSumsSchema>

const Count = (description: string) => Type.Integer({ minimum: 0, description })
const NullableCount = (description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0, description })

const eventFields = {
  id: Type.String(),
  at: Type.String({ description: 'When the request came.' }),
  request_id: Type.String({ description: 'Its `x-request-id`.' }),
  account: Type.String({ description: 'The id of the account.' }),
  key: NullableText({ description: 'The public id of the key; null where there was none.' }),
  tier: Type.String(),
  model: Type.String({ description: 'As it was asked for, aliases resolved.' }),
  endpoint: OneOfTexts(endpointNames),
  stream: Type.Boolean(),
  status: OneOfTexts(usageStatuses, { description: 'How it ended.' }),
  error: NullableText({
    description:
      'What the caller was told, or that it left; null where all went well. What each try came to is in `attempts`.',
  }),
  answered_model: NullableText({ description: 'Another one after a fallback; null where none has answered.' }),
  backend: NullableText({ description: 'Where it was answered.' }),
  target: NullableText({ description: "The backend's own name for the model." }),
  attempts: Type.Array(
    Type.Object({
      backend: Type.String(),
      model: Type.String({ description: "The backend's own name for it." }),
      fault: NullableText({ description: 'How it failed; null for the one that has answered.' }),
    }),
    { description: 'In their order.' },
  ),
  experiment: NullableText({}),
  arm: NullableText({}),
  input_tokens: Count('Cached ones included.'),
  cached_input_tokens: Count('Those that a prompt cache had.'),
  output_tokens: Count('Those of reasoning included.'),
  reasoning_tokens: NullableCount('Null where the engine does not say.'),
  estimated: Type.Boolean({ description: "Whether the tokens are not the engine's word." }),
  price_version: NullableText({
    description: 'By which it is counted; null where the model has no price, and costs 0.',
  }),
  unpriced: Type.Boolean({ description: 'Whether the model had no price, which is other than a price of 0.' }),
  cost: Type.String({ pattern: usdForm, description: 'USD as decimal text.' }),
  backend_ms: Type.Number({ minimum: 0, description: 'How long a backend was busy with it.' }),
  queue_ms: Count('The wait for a place on a backend.'),
  first_token_ms: NullableCount('From the request to its first content; null where none came.'),
  total_ms: Count('From the request to its end.'),
}

export const UsageEventSchema = Type.Object(
  { object: Type.Literal('usage_event'), ...eventFields },
  { title: 'UsageEvent' },
)
export type UsageEventView = Static<typeof UsageEventSchema>
export const eventNames: readonly string[] = Object.keys(eventFields)

/** A page, in JSON or as a table. */
export const pageAnswer = (description: string, list: TSchema) => ({
  description,
  content: {
    'application/json': { schema: list },
    'text/csv': {
      schema: Type.String({ description: 'The same as a table (RFC 4180), its names in the first line.' }),
    },
  },
})
