import type { FastifyInstance } from 'fastify'
import { jsonAnswer } from '../src/schemas/answer-parts.ts'
import { guardedErrors } from '../src/schemas/error-body.ts'
import { Type } from '../src/schemas/typebox.ts'

const WelcomeSchema = Type.Object(
  { name: Type.Literal('weir'), links: Type.Record(Type.String(), Type.String()) },
  { title: 'Welcome' },
)

/** What somebody sees who opens the base URL in a browser: where to go from here. */
export default async function welcome(app: FastifyInstance): Promise<void> {
  const operations = { docs: '/docs', openapi: '/openapi.json', health: '/health', metrics: '/metrics' }
  const links = { models: '/v1/models', chat: '/v1/chat/completions', ...(app.internalListener.isOn ? {} : operations) }
  app.get(
    '/',
    {
      config: { operation: 'welcome', scope: 'public' },
      schema: {
        operationId: 'getWelcome',
        tags: ['Operations'],
        summary: 'Links to what there is',
        security: [],
        response: { 200: jsonAnswer('The links.', WelcomeSchema), ...guardedErrors },
      },
    },
    async () => ({ name: 'weir' as const, links }),
  )
}
