import { NullableOneOfTexts, NullableText } from './fields.ts'
import { type Static, Type } from './typebox.ts'
import { type UsageBody, UsageSchema } from './usage.ts'

/** A whole answer and each event of a stream alike: OpenAI gives both this form. */
export const CompletionResponseSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('text_completion'),
    created: Type.Integer(),
    model: Type.String({ description: 'The name the request asked for.' }),
    choices: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ minimum: 0 }),
          text: Type.String(),
          logprobs: Type.Optional(Type.Unsafe<object | null>({ type: ['object', 'null'], additionalProperties: true })),
          finish_reason: Type.Optional(NullableOneOfTexts(['stop', 'length', 'content_filter'])),
        },
        { additionalProperties: true },
      ),
    ),
    usage: Type.Optional(Type.Unsafe<UsageBody | null>({ ...UsageSchema, type: ['object', 'null'] })),
    system_fingerprint: Type.Optional(NullableText({})),
  },
  { $id: 'CompletionResponse', additionalProperties: true },
)
export type CompletionResponse = Static<typeof CompletionResponseSchema>
