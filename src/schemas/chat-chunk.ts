import { ChatLogprobsSchema, finishReasons } from './chat-response.ts'
import { NullableOneOfTexts, NullableText, OneOfTexts } from './fields.ts'
import { type Static, Type } from './typebox.ts'
import { type UsageBody, UsageSchema } from './usage.ts'

const open = { additionalProperties: true } as const

const ToolCallDeltaSchema = Type.Object(
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

/** One event of a stream; the last before `[DONE]` has no choices when the request asked for the usage. */
export const ChatChunkSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion.chunk'),
    created: Type.Integer(),
    model: Type.String(),
    choices: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ minimum: 0 }),
          delta: Type.Object(
            {
              role: Type.Optional(OneOfTexts(['developer', 'system', 'user', 'assistant', 'tool'])),
              content: Type.Optional(NullableText({})),
              reasoning_content: Type.Optional(NullableText({})),
              refusal: Type.Optional(NullableText({})),
              tool_calls: Type.Optional(Type.Array(ToolCallDeltaSchema)),
            },
            open,
          ),
          logprobs: Type.Optional(ChatLogprobsSchema),
          finish_reason: Type.Optional(NullableOneOfTexts(finishReasons)),
        },
        open,
      ),
    ),
    usage: Type.Optional(Type.Unsafe<UsageBody | null>({ ...UsageSchema, type: ['object', 'null'] })),
    system_fingerprint: Type.Optional(NullableText({})),
  },
  { $id: 'ChatChunk', additionalProperties: true },
)
export type ChatChunk = Static<typeof ChatChunkSchema>
