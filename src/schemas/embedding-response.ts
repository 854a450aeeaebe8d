import { type Static, Type } from './typebox.ts'

export const EmbeddingResponseSchema = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(
      Type.Object(
        {
          object: Type.Literal('embedding'),
          index: Type.Integer({ minimum: 0 }),
          embedding: Type.Unsafe<string | number[]>({
            type: ['array', 'string'],
            items: { type: 'number' },
            description: 'Numbers, or base64 of little-endian float32, as asked for.',
          }),
        },
        { additionalProperties: true },
      ),
    ),
    model: Type.String({ description: 'The name the request asked for.' }),
    usage: Type.Object(
      { prompt_tokens: Type.Integer({ minimum: 0 }), total_tokens: Type.Integer({ minimum: 0 }) },
      { additionalProperties: true },
    ),
  },
  { $id: 'EmbeddingResponse', additionalProperties: true },
)
export type EmbeddingResponse = Static<typeof EmbeddingResponseSchema>
