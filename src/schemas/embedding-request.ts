import { OneOfTexts } from './fields.ts'
import { embeddingExamples } from './request-examples.ts'
import { cacheField, modelField, userField } from './sampling.ts'
import { textOrTokens } from './text-or-tokens.ts'
import { type Static, Type } from './typebox.ts'

export const EmbeddingRequestSchema = Type.Object(
  {
    model: modelField,
    user: userField,
    cache: cacheField,
    input: textOrTokens({ maxTexts: 2048, minLength: 1, description: 'A text, texts, tokens, or lists of tokens.' }),
    encoding_format: Type.Optional(OneOfTexts(['float', 'base64'])),
    dimensions: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
  },
  { title: 'EmbeddingRequest', examples: embeddingExamples },
)
export type EmbeddingRequest = Static<typeof EmbeddingRequestSchema>
