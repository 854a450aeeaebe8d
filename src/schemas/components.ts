import { ChatChunkSchema } from './chat-chunk.ts'
import { ChatRequestSchema } from './chat-request.ts'
import { ChatResponseSchema } from './chat-response.ts'
import { CompletionRequestSchema } from './completion-request.ts'
import { CompletionResponseSchema } from './completion-response.ts'
import { EmbeddingRequestSchema } from './embedding-request.ts'
import { EmbeddingResponseSchema } from './embedding-response.ts'
import { ErrorBodySchema } from './error-body.ts'
import { ModelCardSchema, ModelListSchema } from './model-list.ts'

/** The shared schemas: routes refer to them by `Ref`, and OpenAPI lists each once, under its `$id`. */
export const components = [
  ErrorBodySchema,
  ModelCardSchema,
  ModelListSchema,
  ChatRequestSchema,
  ChatResponseSchema,
  ChatChunkSchema,
  CompletionRequestSchema,
  CompletionResponseSchema,
  EmbeddingRequestSchema,
  EmbeddingResponseSchema,
] as const
