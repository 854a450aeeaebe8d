import type { FastifyInstance } from 'fastify'
import { checkCompletionRequest } from '../../src/domain/request-rules.ts'
import { type CompletionRequest, CompletionRequestSchema } from '../../src/schemas/completion-request.ts'
import { CompletionResponseSchema } from '../../src/schemas/completion-response.ts'
import { inferenceErrors } from '../../src/schemas/error-body.ts'
import { answer, streamableResponse } from './inference-answer.ts'
import { prepare, takeCall } from './inference-call.ts'

export default async function completions(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', app.requireScope('completions'))
  app.addHook('onSend', app.showLimits)
  app.post<{ Body: CompletionRequest }>(
    '/completions',
    {
      config: { operation: 'completions', scope: 'completions' },
      preHandler: [
        app.authorize('completions'),
        prepare(request => {
          const body = request.body as CompletionRequest
          checkCompletionRequest(body)
          return { operation: 'completions', prompts: countPrompts(body.prompt) }
        }),
        app.lookUp,
        app.reserve,
        app.keepIntent,
      ],
      schema: {
        operationId: 'createCompletion',
        tags: ['Inference'],
        summary: 'Continue a text',
        body: CompletionRequestSchema,
        response: {
          200: streamableResponse(
            'The continuation, or its events.',
            CompletionResponseSchema,
            CompletionResponseSchema,
          ),
          ...inferenceErrors,
        },
      },
    },
    async (request, reply) => answer(app, takeCall(request), reply),
  )
}

/** A list of texts or of token lists is several prompts; a text or one list of tokens is one. */
const countPrompts = (prompt: CompletionRequest['prompt']): number =>
  Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1
