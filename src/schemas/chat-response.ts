import { NullableText, OneOfTexts } from './fields.ts'
import { type Static, Type } from './typebox.ts'
import { UsageSchema } from './usage.ts'

/** What passes through from an engine stays open: a closed schema would drop what it does not know. */
const open = { additionalProperties: true } as const

export const finishReasons = ['stop', 'length', 'tool_calls', 'content_filter', 'function_call'] as const

const tokenLogprobFields = {
  token: Type.String(),
  logprob: Type.Number(),
  bytes: Type.Optional(Type.Unsafe<number[] | null>({ type: ['array', 'null'], items: { type: 'integer' } })),
}

const TokenLogprobSchema = Type.Object(
  { ...tokenLogprobFields, top_logprobs: Type.Optional(Type.Array(Type.Object(tokenLogprobFields, open))) },
  open,
)

const nullableLogprobs = Type.Unsafe<Static<typeof TokenLogprobSchema>[] | null>({
  type: ['array', 'null'],
  items: TokenLogprobSchema,
})

export const ChatLogprobsSchema = Type.Unsafe<{ content?: Static<typeof TokenLogprobSchema>[] | null } | null>({
  type: ['object', 'null'],
  properties: { content: nullableLogprobs, refusal: nullableLogprobs },
  additionalProperties: true,
})

const ResponseToolCallSchema = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('function'),
    function: Type.Object({ name: Type.String(), arguments: Type.String() }, open),
  },
  open,
)

export const ChatResponseSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('chat.completion'),
    created: Type.Integer(),
    model: Type.String({ description: 'The name the request asked for.' }),
    choices: Type.Array(
      Type.Object(
        {
          index: Type.Integer({ minimum: 0 }),
          message: Type.Object(
            {
              role: Type.Literal('assistant'),
              content: NullableText({}),
              reasoning_content: Type.Optional(NullableText({})),
              refusal: Type.Optional(NullableText({})),
              tool_calls: Type.Optional(Type.Array(ResponseToolCallSchema)),
            },
            open,
          ),
          logprobs: Type.Optional(ChatLogprobsSchema),
          finish_reason: OneOfTexts(finishReasons),
        },
        open,
      ),
    ),
    usage: Type.Optional(UsageSchema),
    system_fingerprint: Type.Optional(NullableText({})),
  },
  { $id: 'ChatResponse', additionalProperties: true },
)
export type ChatResponse = Static<typeof ChatResponseSchema>
