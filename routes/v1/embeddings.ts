import type { FastifyInstance } from 'fastify'
import { Fault, toWeirError } from '../../src/backend/fault.ts'
import { isObject, type Json } from '../../src/domain/chat-event.ts'
import { convertVector, type EncodingFormat } from '../../src/domain/embedding.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { type EmbeddingRequest, EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'
import { EmbeddingResponseSchema } from '../../src/schemas/embedding-response.ts'
import { inferenceErrors } from '../../src/schemas/error-body.ts'
import { sendJson } from './inference-answer.ts'
import { buildCall } from './inference-call.ts'

export default async function embeddings(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('embeddings'))
  app.post<{ Body: EmbeddingRequest }>(
    '/embeddings',
    {
      config: { operation: 'embeddings', scope: 'embeddings' },
      preHandler: app.authorize('embeddings'),
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
      const call = buildCall(request, reply, { operation: 'embeddings', prompts: 1 })
      const body = await app.backends.collect(call, reply)
      if (body === null) return reply.hijack()
      const vectors = inFormat(body, request.body.encoding_format ?? 'float')
      if (vectors === null) {
        const fault = new Fault('rubbish', 'the answer holds something that is no vector')
        throw toWeirError(fault, { model: call.askedModel, promptField: 'input' })
      }
      return sendJson(reply, vectors)
    },
  )
}

/** The vectors as they were asked for: an SDK that gets the other encoding makes wrong vectors of it without a word. */
function inFormat(body: Json, format: EncodingFormat): Json | null {
  const { data } = body
  if (!Array.isArray(data)) return null
  const items: Json[] = []
  for (const item of data) {
    if (!isObject(item)) return null
    const vector = convertVector(item['embedding'], format)
    if (vector === undefined) return null
    const { encoding_format: _format, ...rest } = item
    items.push({ ...rest, embedding: vector })
  }
  return { ...body, data: items }
}
