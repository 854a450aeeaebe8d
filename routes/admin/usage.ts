import type { FastifyInstance } from 'fastify'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { recordErrors } from '../../src/schemas/error-body.ts'
import {
  DenialSumsSchema,
  eventNames,
  pageAnswer,
  UsageEventSchema,
  UsageSumsSchema,
} from '../../src/schemas/usage-list.ts'
import {
  type ListDenials,
  ListDenialsSchema,
  type ListUsage,
  type ListUsageEvents,
  ListUsageEventsSchema,
  ListUsageSchema,
} from '../../src/schemas/usage-query.ts'
import { denialColumnsOf, readDenials } from '../../src/usage/denial-sums.ts'
import { readEvents } from '../../src/usage/usage-events.ts'
import { readUsage } from '../../src/usage/usage-scope.ts'
import { sumColumnsOf } from '../../src/usage/usage-sums.ts'
import { sendPage } from '../usage-page.ts'

/** What was used, by whomever. */
export default async function usage(app: FastifyInstance): Promise<void> {
  app.get<{ Querystring: ListUsage }>(
    '/usage',
    {
      config: { operation: 'admin.usage', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'listUsage',
        tags: ['Administration'],
        summary: 'Add up what was used, oldest first',
        querystring: ListUsageSchema,
        response: { 200: pageAnswer('A page of sums.', ListSchema('UsageSumsList', UsageSumsSchema)), ...recordErrors },
      },
    },
    async (request, reply) => {
      const page = await readUsage(app.sql, request.query)
      return sendPage(request, reply, { page, columns: sumColumnsOf(request.query) })
    },
  )
  app.get<{ Querystring: ListUsageEvents }>(
    '/usage/events',
    {
      config: { operation: 'admin.usage', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'listUsageEvents',
        tags: ['Administration'],
        summary: 'List what single requests used, newest first',
        querystring: ListUsageEventsSchema,
        response: {
          200: pageAnswer('A page of requests.', ListSchema('UsageEventList', UsageEventSchema)),
          ...recordErrors,
        },
      },
    },
    async (request, reply) => {
      const page = await readEvents(app.sql, request.query)
      return sendPage(request, reply, { page, columns: eventNames })
    },
  )
  app.get<{ Querystring: ListDenials }>(
    '/usage/denials',
    {
      config: { operation: 'admin.usage', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'listDenials',
        tags: ['Administration'],
        summary: 'Count what limits have refused, oldest first',
        querystring: ListDenialsSchema,
        response: {
          200: pageAnswer('A page of sums.', ListSchema('DenialSumsList', DenialSumsSchema)),
          ...recordErrors,
        },
      },
    },
    async (request, reply) => {
      const page = await readDenials(app.sql, request.query)
      return sendPage(request, reply, { page, columns: denialColumnsOf(request.query) })
    },
  )
}
