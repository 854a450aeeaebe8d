import type { FastifyInstance } from 'fastify'
import { LogLevelSchema, type UpdateLogLevel, UpdateLogLevelSchema } from '../../src/schemas/admin/log-level.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors } from '../../src/schemas/error-body.ts'

/** How much is logged, of this replica: what a request is looked into for is seldom on all of them. */
export default async function logLevel(app: FastifyInstance): Promise<void> {
  const route = { config: { operation: 'admin.log', scope: 'admin' }, constraints: app.internal } as const
  const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })
  const response = { 200: jsonAnswer('The level of the log.', LogLevelSchema), ...keyErrors }
  const view = () => ({
    object: 'log_level',
    level: app.logLevel.level,
    configured: app.logLevel.configured,
  })
  app.get(
    '/log-level',
    { ...route, schema: { ...about('retrieveLogLevel', 'Get the level of the log of this replica'), response } },
    async () => view(),
  )
  app.put<{ Body: UpdateLogLevel }>(
    '/log-level',
    {
      ...route,
      schema: {
        ...about('updateLogLevel', 'Log more or less, on this replica and until it ends'),
        body: UpdateLogLevelSchema,
        response,
      },
    },
    async request => {
      app.logLevel.ask(request.body.level, `request ${request.id}`)
      return view()
    },
  )
}
