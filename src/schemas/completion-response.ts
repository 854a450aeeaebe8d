import { FinishReasonSchema, open, UsageSchema } from './answer-parts.ts'
import { Type } from './typebox.ts'

/** Also the shape of each event of its stream. */
export const CompletionResponseSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('text_completion'),
    created: Type.Integer({ description: 'Unix seconds.' }),
    model: Type.String({ description: 'The name that was asked for.' }),
    choices: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ minimum: 0 }),
          text: Type.String(),
          finish_reason: FinishReasonSchema,
          logprobs: Type.Optional(Type.Union([Type.Object({}, open), Type.Null()])),
        },
        open,
      ),
      { description: 'Empty in the event that tells the usage.' },
    ),
    usage: Type.Optional(Type.Union([UsageSchema, Type.Null()])),
  },
  { title: 'Completion', ...open },
)
