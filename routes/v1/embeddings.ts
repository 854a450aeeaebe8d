import type { FastifyInstance } from 'fastify'
import { faultContext } from '../../src/backend/call.ts'
import { Fault, toWeirError } from '../../src/backend/fault.ts'
import { isObject, type Json } from '../../src/domain/chat-event.ts'
import { convertVector, type EncodingFormat } from '../../src/domain/embedding.ts'
import { WeirError } from '../../src/errors.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { type EmbeddingRequest, EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'
import { EmbeddingResponseSchema } from '../../src/schemas/embedding-response.ts'
import { inferenceErrors } from '../../src/schemas/error-body.ts'
import { sendJson } from './inference-answer.ts'
import { prepare, takeCall } from './inference-call.ts'

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
      const body = await app.backends.collect(call, reply)
      if (body === null) return reply.hijack()
      const { input, encoding_format: format, dimensions } = request.body
      const items = vectorItems(body, countInputs(input), format ?? 'float')
      if (items === null) {
        const fault = new Fault('rubbish', 'the answer does not hold one vector for each input')
        throw toWeirError(fault, faultContext(call))
      }
      checkDimensions(items, dimensions)
      return sendJson(reply, { ...body, data: items })
    },
  )
}

interface VectorItem extends Json {
  readonly embedding: string | number[]
}

/** A list of texts or of token lists is several inputs; a text or one list of tokens is one. */
const countInputs = (input: EmbeddingRequest['input']): number =>
  Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1

/**
 * One vector for each input, as it was asked for: an SDK that gets the other encoding makes wrong vectors of it without a
 * word. Null where the backend gave something else.
 */
function vectorItems(body: Json, inputs: number, format: EncodingFormat): VectorItem[] | null {
  const { data } = body
  if (!Array.isArray(data) || data.length !== inputs) return null
  const items: VectorItem[] = []
  for (const [index, item] of data.entries()) {
    if (!isObject(item)) return null
    const vector = convertVector(item['embedding'], format)
    if (vector === undefined) return null
    const { encoding_format: _format, ...rest } = item
    items.push({ ...rest, object: 'embedding', index: item['index'] ?? index, embedding: vector })
  }
  return items
}

/** Engines that cannot shorten a vector give the whole one without a word: that is not what was asked for. */
function checkDimensions(items: readonly VectorItem[], dimensions: number | undefined): void {
  const [first] = items
  if (first === undefined || dimensions === undefined) return
  const { embedding } = first
  const length = typeof embedding === 'string' ? Buffer.byteLength(embedding, 'base64') / 4 : embedding.length
  if (length === dimensions) return
  const message = `This model gives vectors of ${length} dimensions and cannot give others: leave 'dimensions' out.`
  throw new WeirError('invalidRequest', message, { param: 'dimensions' })
}
