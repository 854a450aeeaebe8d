import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** The OpenAPI document and a page to read and try it. */
export default async function docs(app: FastifyInstance): Promise<void> {
  app.get(
    '/openapi.json',
    { config: { operation: 'openapi' }, constraints: app.internal, schema: { hide: true } },
    async () => app.swagger(),
  )
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
}
