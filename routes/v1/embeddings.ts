import type { FastifyInstance } from 'fastify'
import { inputsOf } from '../../src/cache/vector-inputs.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { type EmbeddingRequest, EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'
import { EmbeddingResponseSchema } from '../../src/schemas/embedding-response.ts'
import { inferenceErrors } from '../../src/schemas/error-body.ts'
import { embedCached } from './cached-vectors.ts'
import { sendJson } from './inference-answer.ts'
import { prepare, takeCall } from './inference-call.ts'
import { vectorItems } from './vector-items.ts'

export default async function embeddings(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('embeddings'))
  app.addHook('onSend', app.showLimits)
  app.post<{ Body: EmbeddingRequest }>(
    '/embeddings',
    {
      config: { operation: 'embeddings', scope: 'embeddings' },
      preHandler: [
        app.authorize('embeddings'),
        prepare(request => {
          const { input } = request.body as EmbeddingRequest
          return { operation: 'embeddings', prompts: countInputs(input) }
        }),
        app.lookUp,
        app.reserve,
        app.keepIntent,
      ],
      schema: {
        operationId: 'createEmbedding',
        tags: ['Inference'],
        summary: 'Turn texts into vectors',
        body: EmbeddingRequestSchema,
        response: {
          200: jsonAnswer('The vectors, in the order of the texts.', EmbeddingResponseSchema),
          ...inferenceErrors,
        },
      },
    },
    async (request, reply) => {
      const call = takeCall(request)
      const { input, encoding_format: format = 'float', dimensions } = request.body
      const { cacheUse: use } = request
      if (use?.kind === 'vectors') {
        const known = await embedCached(app, { use, call, reply, inputs: inputsOf(input), format, dimensions })
        return known === null ? reply.hijack() : sendJson(reply, known)
      }
      const body = await app.backends.collect(call, reply)
      if (body === null) return reply.hijack()
      return sendJson(reply, {
        ...body,
        data: vectorItems(call, body, { count: countInputs(input), format, dimensions }),
      })
    },
  )
}

/** A list of texts or of token lists is several inputs; a text or one list of tokens is one. */
const countInputs = (input: EmbeddingRequest['input']): number => inputsOf(input).length
