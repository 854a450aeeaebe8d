import type { FastifyInstance } from 'fastify'
import { WeirError } from '../../src/errors.ts'
import { ConfigProblemsSchema, ConfigReloadSchema } from '../../src/schemas/admin/configuration.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors } from '../../src/schemas/error-body.ts'

const refused = 'The configuration cannot be used, and nothing has changed. `problems` says what is wrong, and where.'

export default async function configuration(app: FastifyInstance): Promise<void> {
  app.post(
    '/config/reload',
    {
      config: { operation: 'admin.config', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'reloadConfiguration',
        tags: ['Administration'],
        summary: 'Read weir.yaml again, and take on what has changed',
        description:
          'Checked as a whole and taken on at once, or not at all. Requests that run go on by the configuration that they began with. Of this replica only.',
        response: {
          200: jsonAnswer('What has changed.', ConfigReloadSchema),
          422: jsonAnswer('The configuration cannot be used; nothing has changed.', ConfigProblemsSchema),
          ...keyErrors,
        },
      },
    },
    async (request, reply) => {
      const outcome = await app.configuration.reload(`request ${request.id}`)
      switch (outcome.kind) {
        case 'applied':
        case 'unchanged': {
          const { kind, changed, needsRestart, warnings } = outcome
          return { object: 'config_reload', outcome: kind, changed, needs_restart: needsRestart, warnings }
        }
        case 'refused': {
          const { headers, body } = new WeirError('invalidConfiguration', refused)
          return reply
            .code(422)
            .headers(headers)
            .send({ ...body, problems: outcome.problems })
        }
        case 'failed':
          throw outcome.error
      }
    },
  )
}
