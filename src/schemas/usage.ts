import { type Static, Type } from './typebox.ts'

/** Tokens as OpenAI counts them; engines add details of their own, which pass. */
export const UsageSchema = Type.Object(
  {
    prompt_tokens: Type.Integer({ minimum: 0 }),
    completion_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
    total_tokens: Type.Integer({ minimum: 0 }),
    prompt_tokens_details: Type.Optional(
      Type.Unsafe<{ cached_tokens?: number } | null>({
        type: ['object', 'null'],
        properties: { cached_tokens: { type: 'integer', minimum: 0 } },
        additionalProperties: true,
      }),
    ),
    completion_tokens_details: Type.Optional(
      Type.Unsafe<{ reasoning_tokens?: number } | null>({
        type: ['object', 'null'],
        properties: { reasoning_tokens: { type: 'integer', minimum: 0 } },
        additionalProperties: true,
      }),
    ),
  },
  { additionalProperties: true },
)
export type UsageBody = Static<typeof UsageSchema>
