import { ChatLogprobsSchema, FinishReasonSchema, messageParts, open, UsageSchema } from './answer-parts.ts'
import { Type } from './typebox.ts'

const ToolCallPieceSchema = Type.Object(
  {
    index: Type.Integer({ minimum: 0 }),
    id: Type.Optional(Type.String()),
    type: Type.Optional(Type.Literal('function')),
    function: Type.Optional(
      Type.Object({ name: Type.Optional(Type.String()), arguments: Type.Optional(Type.String()) }, open),
    ),
  },
  open,
)

const ChoiceSchema = Type.Object(
  {
    index: Type.Integer({ minimum: 0 }),
    delta: Type.Object(
      {
        role: Type.Optional(Type.String()),
        ...messageParts,
        tool_calls: Type.Optional(Type.Array(ToolCallPieceSchema)),
      },
      open,
    ),
    finish_reason: Type.Optional(FinishReasonSchema),
    logprobs: Type.Optional(ChatLogprobsSchema),
  },
  open,
)

export const ChatChunkSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion.chunk'),
    created: Type.Integer({ description: 'Unix seconds.' }),
    model: Type.String({ description: 'The name that was asked for.' }),
    choices: Type.Array(ChoiceSchema, { description: 'Empty in the event that tells the usage.' }),
    usage: Type.Optional(Type.Union([UsageSchema, Type.Null()])),
  },
  { title: 'ChatCompletionChunk', ...open },
)
