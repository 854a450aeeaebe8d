import Fastify, { type FastifyInstance } from 'fastify'
import body from '../../plugins/body.ts'
import type { ScannedBody } from '../../src/domain/body-parse.ts'
import type { Operation } from '../../src/domain/field-policy.ts'
import { checkFields } from '../../src/domain/request-fields.ts'
import { rewriteFields } from '../../src/domain/request-rewrites.ts'
import { checkChatRequest, checkCompletionRequest } from '../../src/domain/request-rules.ts'
import { spliceBody } from '../../src/domain/splice-body.ts'
import { WeirError } from '../../src/errors.ts'
import { type ChatRequest, ChatRequestSchema } from '../../src/schemas/chat-request.ts'
import { type CompletionRequest, CompletionRequestSchema } from '../../src/schemas/completion-request.ts'
import { EmbeddingRequestSchema } from '../../src/schemas/embedding-request.ts'

export interface BodyAppOptions {
  readonly maxBodyBytes?: number
  readonly allowRemoteImages?: boolean
}

/**
 * The body plugin with a route an operation. Each route answers with what it would send to a backend: `sent`, the body
 * byte for byte, and `ignored`, the names it dropped. The caller closes it.
 */
export async function buildBodyApp(options: BodyAppOptions = {}): Promise<FastifyInstance> {
  const { maxBodyBytes = 8 * 1024 * 1024, allowRemoteImages = false } = options
  const app = Fastify()
  app.setErrorHandler((error: Error & { code?: string; statusCode?: number }, _request, reply) => {
    if (error instanceof WeirError) return reply.code(error.statusCode).headers(error.headers).send(error.body)
    return reply
      .code(error.statusCode ?? 500)
      .send({ error: { message: error.message, param: null, code: error.code } })
  })
  await app.register(body, { maxBodyBytes })
  app.post('/chat', { schema: { body: ChatRequestSchema } }, async ({ body, scannedBody }) => {
    checkChatRequest(body as ChatRequest, { allowRemoteImages })
    return answer('chat', body, scannedBody)
  })
  app.post('/completions', { schema: { body: CompletionRequestSchema } }, async ({ body, scannedBody }) => {
    checkCompletionRequest(body as CompletionRequest)
    return answer('completions', body, scannedBody)
  })
  app.post('/embeddings', { schema: { body: EmbeddingRequestSchema } }, async ({ body, scannedBody }) =>
    answer('embeddings', body, scannedBody),
  )
  app.post('/any', { schema: { body: { type: 'object' } } }, async () => ({}))
  await app.ready()
  return app
}

function answer(operation: Operation, body: unknown, scanned: ScannedBody | undefined): object {
  if (scanned === undefined) throw new Error('a validated body was not scanned')
  const { keep, ignored } = checkFields(operation, scanned)
  const rewritten = rewriteFields(operation, body as Record<string, unknown>)
  const texts = new Map([...(rewritten ?? [])].map(([name, value]) => [name, JSON.stringify(value)]))
  return { sent: spliceBody(scanned.bytes, keep, texts).toString(), ignored }
}
