import type { FastifyInstance } from 'fastify'
import { AuditEntrySchema, type ListAudit, ListAuditSchema } from '../../src/schemas/admin/audit.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors } from '../../src/schemas/error-body.ts'
import type { AdminOptions } from './exchange.ts'

export default async function audit(app: FastifyInstance, { operations }: AdminOptions): Promise<void> {
  app.get<{ Querystring: ListAudit }>(
    '/audit',
    {
      config: { operation: 'admin.audit', scope: 'admin' },
      constraints: app.internal,
      schema: {
        operationId: 'listAuditEntries',
        tags: ['Administration'],
        summary: 'List changes of accounts, keys and experiments, and deliveries tried again, newest first',
        querystring: ListAuditSchema,
        response: {
          200: jsonAnswer('A page of entries.', ListSchema('AuditEntryList', AuditEntrySchema)),
          ...keyErrors,
        },
      },
    },
    async request => operations.listAudit(request.query),
  )
}
