import { open } from './answer-parts.ts'
import { Type } from './typebox.ts'

export const EmbeddingResponseSchema = Type.Object(
  {
    object: Type.Literal('list'),
    model: Type.String({ description: 'The name that was asked for.' }),
    data: Type.Array(
      Type.Object(
        {
          object: Type.Literal('embedding'),
          index: Type.Integer({ minimum: 0 }),
          embedding: Type.Union([
            Type.Array(Type.Number()),
            Type.String({ description: 'Base64 of little-endian 32-bit floats, where encoding_format asks for it.' }),
          ]),
        },
        open,
      ),
    ),
    usage: Type.Optional(
      Type.Object({ prompt_tokens: Type.Integer({ minimum: 0 }), total_tokens: Type.Integer({ minimum: 0 }) }, open),
    ),
  },
  { title: 'EmbeddingList', ...open },
)
