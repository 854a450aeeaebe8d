import type { FastifyInstance } from 'fastify'
import type { WebhookOperations } from '../../src/admin/webhook-operations.ts'
import { ListSchema } from '../../src/schemas/admin/list.ts'
import { DeliverySchema, type ListDeliveries, ListDeliveriesSchema } from '../../src/schemas/admin/webhooks.ts'
import { jsonAnswer } from '../../src/schemas/answer-parts.ts'
import { changeErrors, keyErrors } from '../../src/schemas/error-body.ts'
import { Type } from '../../src/schemas/typebox.ts'
import { actorOf } from './exchange.ts'

export interface WebhookRouteOptions {
  readonly operations: WebhookOperations
}

const about = (operationId: string, summary: string) => ({ operationId, tags: ['Administration'], summary })
const config = { operation: 'admin.webhooks', scope: 'admin' } as const

export default async function webhooks(app: FastifyInstance, { operations }: WebhookRouteOptions): Promise<void> {
  const route = { config, constraints: app.internal }
  app.get<{ Querystring: ListDeliveries }>(
    '/webhooks/deliveries',
    {
      ...route,
      schema: {
        ...about('listWebhookDeliveries', 'List what was or is to be delivered to webhooks, newest first'),
        querystring: ListDeliveriesSchema,
        response: {
          200: jsonAnswer('A page of deliveries.', ListSchema('WebhookDeliveryList', DeliverySchema)),
          ...keyErrors,
        },
      },
    },
    async request => operations.listDeliveries(request.query),
  )
  app.post<{ Params: { id: string } }>(
    '/webhooks/deliveries/:id/retry',
    {
      ...route,
      schema: {
        ...about('retryWebhookDelivery', 'Try a delivery again that was given up'),
        params: Type.Object({ id: Type.String() }),
        response: { 200: jsonAnswer('The delivery.', DeliverySchema), ...changeErrors },
      },
    },
    async request => operations.retryDelivery(actorOf(request), request.params),
  )
}
