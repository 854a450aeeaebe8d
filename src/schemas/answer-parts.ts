import { type TSchema, Type } from './typebox.ts'

/**
 * Answers are open: what a model says passes through, also what this page does not know yet. The schemas describe what is
 * always there.
 */
export const open = { additionalProperties: true } as const

/** A successful answer in one piece, for the OpenAPI document. */
export const jsonAnswer = (description: string, schema: TSchema) => ({
  description,
  content: { 'application/json': { schema } },
})

/** USD as decimal text, to the last digit. */
export const usdForm = '^[0-9]+(\\.[0-9]{1,9})?$'

const Count = (description: string) => Type.Integer({ minimum: 0, description })

export const UsageSchema = Type.Object(
  {
    prompt_tokens: Count('Tokens of the prompt, cached ones included.'),
    completion_tokens: Count('Tokens of the answer, over all choices.'),
    total_tokens: Count('Both.'),
    prompt_tokens_details: Type.Optional(Type.Object({ cached_tokens: Count('Read from the prompt cache.') }, open)),
    completion_tokens_details: Type.Optional(Type.Object({ reasoning_tokens: Count('Spent on reasoning.') }, open)),
    weir_cost: Type.Optional(
      Type.String({
        pattern: usdForm,
        description:
          'In the usage of a stream: USD as decimal text, where the model has a price. Else see `x-weir-cost`.',
      }),
    ),
  },
  { title: 'Usage', ...open },
)

export const FinishReasonSchema = Type.Union([Type.String(), Type.Null()], {
  description: '`stop`, `length`, `tool_calls` or `content_filter`; null while the choice goes on.',
})

export const ChatLogprobsSchema = Type.Union([
  Type.Object({ content: Type.Optional(Type.Union([Type.Array(Type.Object({}, open)), Type.Null()])) }, open),
  Type.Null(),
])

const NullableText = Type.Union([Type.String(), Type.Null()])

export const messageParts = {
  content: Type.Optional(NullableText),
  reasoning_content: Type.Optional(NullableText),
  refusal: Type.Optional(NullableText),
}
