import type { FastifyInstance } from 'fastify'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { TierViewSchema } from '../../src/schemas/admin/tiers.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { keyErrors, recordErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import type { AdminOptions } from './exchange.ts'

/** Tiers are of the configuration: they can be looked at here and changed in weir.yaml. */
export default async function tiers(app: FastifyInstance, { operations }: AdminOptions): Promise<void> {
  const route = { config: { operation: 'admin.tiers', scope: 'admin' }, constraints: app.internal } as const
  app.get(
    '/tiers',
    {
      ...route,
      schema: {
        operationId: 'listTiers',
        tags: ['Administration'],
        summary: 'List the tiers of the configuration',
        response: { 200: jsonAnswer('All tiers.', ListSchema('TierList', TierViewSchema)), ...keyErrors },
      },
    },
    async () => operations.listTiers(),
  )
  app.get<{ Params: { name: string } }>(
    '/tiers/:name',
    {
      ...route,
      schema: {
        operationId: 'retrieveTier',
        tags: ['Administration'],
        summary: 'Get a tier',
        params: Type.Object({ name: Type.String() }),
        response: { 200: jsonAnswer('The tier.', TierViewSchema), ...recordErrors },
      },
    },
    async request => operations.getTier(request.params),
  )
}
