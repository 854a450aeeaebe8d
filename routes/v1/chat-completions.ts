import type { FastifyInstance } from 'fastify'
import { getConfiguration } from '../../plugins/configuration.ts'
import { checkChatRequest } from '../../src/domain/request-rules.ts'
import { ChatChunkSchema } from '../../src/schemas/chat-chunk.ts'
import { type ChatRequest, ChatRequestSchema } from '../../src/schemas/chat-request.ts'
import { ChatResponseSchema } from '../../src/schemas/chat-response.ts'
import { inferenceErrors } from '../../src/schemas/error-body.ts'
import { answer, streamableResponse } from './inference-answer.ts'
import { prepare, takeCall } from './inference-call.ts'

export default async function chatCompletions(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('chat'))
  app.addHook('onSend', app.showLimits)
  app.post<{ Body: ChatRequest }>(
    '/chat/completions',
    {
      config: { operation: 'chat', scope: 'chat' },
      preHandler: [
        app.authorize('chat'),
        prepare(request => {
          const { urlImages } = getConfiguration(request).server
          checkChatRequest(request.body as ChatRequest, { allowRemoteImages: urlImages })
          return { operation: 'chat', prompts: 1 }
        }),
        app.lookUp,
        app.reserve,
        app.keepIntent,
      ],
      schema: {
        operationId: 'createChatCompletion',
        tags: ['Inference'],
        summary: 'Answer a conversation',
        body: ChatRequestSchema,
        response: {
          200: streamableResponse('The answer, or its events.', ChatResponseSchema, ChatChunkSchema),
          ...inferenceErrors,
        },
      },
    },
    async (request, reply) => answer(app, takeCall(request), reply),
  )
}
