import type { FastifyInstance } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { keyErrors } from '../../src/schemas/error-body.ts'
import { DenialSumsSchema, pageAnswer, UsageSumsSchema } from '../../src/schemas/usage-list.ts'
import { type ReadDenials, ReadDenialsSchema, type ReadUsage, ReadUsageSchema } from '../../src/schemas/usage-query.ts'
import { denialColumnsOf, readOwnDenials } from '../../src/usage/denial-sums.ts'
import { QuestionGate } from '../../src/usage/question-gate.ts'
import { readOwnUsage } from '../../src/usage/usage-scope.ts'
import { sumColumnsOf } from '../../src/usage/usage-sums.ts'
import { explainDatabaseFailures, requireDatabase } from '../database-outage.ts'
import { sendPage } from '../usage-page.ts'

/** What a caller has used, and what it cost. */
export default async function usage(app: FastifyInstance): Promise<void> {
  const gate = new QuestionGate()
  app.addHook('onRequest', app.requireScope('usage'))
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  explainDatabaseFailures(app)
  requireDatabase(app)
  app.get<{ Querystring: ReadUsage }>(
    '/usage',
    {
      config: { operation: 'usage', scope: 'usage' },
      schema: {
        operationId: 'readUsage',
        tags: ['Usage'],
        summary: 'Add up what this key has used, oldest first',
        description: 'For a token of an identity provider: what its account has used. Asking counts for nothing.',
        querystring: ReadUsageSchema,
        response: { 200: pageAnswer('A page of sums.', ListSchema('UsageSumsList', UsageSumsSchema)), ...keyErrors },
      },
    },
    async (request, reply) => {
      const principal = getPrincipal(request)
      const page = await gate.ask(principal.accountId, () => readOwnUsage(app.sql, principal, request.query))
      return sendPage(request, reply, { page, columns: sumColumnsOf(request.query) })
    },
  )
  app.get<{ Querystring: ReadDenials }>(
    '/usage/denials',
    {
      config: { operation: 'usage', scope: 'usage' },
      schema: {
        operationId: 'readDenials',
        tags: ['Usage'],
        summary: 'Count what limits have refused this key, oldest first',
        description:
          'For a token of an identity provider: what they have refused its account. Asking counts for nothing.',
        querystring: ReadDenialsSchema,
        response: { 200: pageAnswer('A page of sums.', ListSchema('DenialSumsList', DenialSumsSchema)), ...keyErrors },
      },
    },
    async (request, reply) => {
      const principal = getPrincipal(request)
      const page = await gate.ask(principal.accountId, () => readOwnDenials(app.sql, principal, request.query))
      return sendPage(request, reply, { page, columns: denialColumnsOf(request.query) })
    },
  )
}
