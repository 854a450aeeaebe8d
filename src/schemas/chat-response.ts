import { ChatLogprobsSchema, FinishReasonSchema, messageParts, open, UsageSchema } from './answer-parts.ts'
import { Type } from './typebox.ts'

const ToolCallSchema = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('function'),
    function: Type.Object(
      { name: Type.String(), arguments: Type.String({ description: 'JSON, as the model wrote it.' }) },
      open,
    ),
  },
  open,
)

const ChoiceSchema = Type.Object(
  {
    index: Type.Integer({ minimum: 0 }),
    message: Type.Object(
      { role: Type.String(), ...messageParts, tool_calls: Type.Optional(Type.Array(ToolCallSchema)) },
      open,
    ),
    finish_reason: FinishReasonSchema,
    logprobs: Type.Optional(ChatLogprobsSchema),
  },
  open,
)

export const ChatResponseSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion'),
    created: Type.Integer({ description: 'Unix seconds.' }),
    model: Type.String({ description: 'The name that was asked for.' }),
    choices: Type.Array(ChoiceSchema, { minItems: 1 }),
    usage: Type.Optional(UsageSchema),
  },
  { title: 'ChatCompletion', ...open },
)
