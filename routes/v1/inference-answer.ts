import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Call } from '../../src/backend/call.ts'
import type { TSchema } from '../../src/schemas/typebox.ts'

/** Answers a chat or completion call as it asks for: as a stream, or in one piece. */
export async function answer(app: FastifyInstance, call: Call, reply: FastifyReply): Promise<FastifyReply> {
  if (call.stream) {
    await app.backends.stream(call, reply)
    return reply
  }
  const body = await app.backends.collect(call, reply)
  if (body === null) return reply.hijack()
  return sendJson(reply, body)
}

/** Sends an answer as it is: what a model says must not pass a serializer that drops what it does not know. */
export function sendJson(reply: FastifyReply, body: object): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(body))
}

/** The 200 of an operation that can stream, for the OpenAPI document. */
export const streamableResponse = (description: string, whole: TSchema, chunk: TSchema) => ({
  description,
  content: {
    'application/json': { schema: whole },
    'text/event-stream': { schema: chunk },
  },
})
