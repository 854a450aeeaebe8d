import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Call } from '../../src/backend/call.ts'
import { ErrorBodySchema } from '../../src/schemas/error-body.ts'
import { type TSchema, Type } from '../../src/schemas/typebox.ts'
import { collectCached, streamCached } from './cached-answer.ts'

/** Answers a chat or completion call as it asks for: as a stream, or in one piece; from the cache, where it may be and is there. */
export async function answer(app: FastifyInstance, call: Call, reply: FastifyReply): Promise<FastifyReply> {
  const { cacheUse: use } = reply.request
  if (!call.stream) return await answerWhole(app, call, reply)
  app.meters.requests.streamBegan()
  try {
    if (use?.kind === 'answer') await streamCached(app, { use, call, reply })
    else await app.backends.stream(call, reply)
  } finally {
    app.meters.requests.streamEnded()
  }
  return reply
}

async function answerWhole(app: FastifyInstance, call: Call, reply: FastifyReply): Promise<FastifyReply> {
  const { cacheUse: use } = reply.request
  const body =
    use?.kind === 'answer' ? await collectCached(app, { use, call, reply }) : await app.backends.collect(call, reply)
  if (body === null) return reply.hijack()
  return sendJson(reply, body)
}

/** Sends an answer as it is: what a model says must not pass a serializer that drops what it does not know. */
export function sendJson(reply: FastifyReply, body: object | string): FastifyReply {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return reply.type('application/json; charset=utf-8').send(text)
}

/** The 200 of an operation that can stream, for the OpenAPI document, which describes one event and not their sequence. */
export const streamableResponse = (description: string, whole: TSchema, chunk: TSchema) => ({
  description: `${description} Each event's \`data\` is a chunk; the last is \`[DONE]\`, or an error where it ends early.`,
  content: {
    'application/json': { schema: whole },
    'text/event-stream': { schema: Type.Union([chunk, ErrorBodySchema]) },
  },
})
