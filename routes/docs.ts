import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonAnswer } from '../src/schemas/answer-parts.ts'
import { guardedErrors } from '../src/schemas/error-body.ts'
import { Type } from '../src/schemas/typebox.ts'

/** The page loads and asks nothing but this server, also over plain HTTP; its own styles are the only inline thing. */
const contentSecurityPolicy = {
  'default-src': ["'none'"],
  'connect-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}

/** The OpenAPI document and a page to read and try it. */
export default async function docs(app: FastifyInstance): Promise<void> {
  // The page's own routes take no options of ours: as all of this scope they belong to the internal listener.
  app.addHook('onRoute', route => {
    route.constraints = { ...route.constraints, ...app.internal }
    route.config = { operation: 'docs', scope: 'public', ...route.config }
  })
  let text: string | undefined
  app.get(
    '/openapi.json',
    {
      config: { operation: 'openapi' },
      schema: {
        operationId: 'getOpenapiDocument',
        tags: ['Operations'],
        summary: 'This document',
        security: [],
        response: {
          200: jsonAnswer('OpenAPI 3.1.', Type.Object({}, { additionalProperties: true })),
          ...guardedErrors,
        },
      },
    },
    async (_request, reply) => {
      // Once: it stays as it is, takes milliseconds to make, and anybody may ask for it.
      text ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(text)
    },
  )
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: contentSecurityPolicy })
}
