/** What an administrator can do with deliveries to webhooks: look, and have one tried again. Errors as in operations.ts. */
import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { WeirError } from '../errors.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { DeliveryView, ListDeliveries } from '../schemas/admin/webhooks.ts'
import { findDelivery, listDeliveries, retryDelivery, type StoredDelivery } from '../store/webhook-listing.ts'
import { type Actor, authorOf } from './actor.ts'
import { conflict, isUuid, shown } from './context.ts'
import { byId, readPage } from './page.ts'

export interface WebhooksContext {
  readonly sql: Sql
  /** As the configuration has them now. */
  readonly webhooks: () => Config['webhooks']
  /** Something is to be delivered that was not before. */
  readonly deliver: () => void
}

export interface WebhookOperations {
  listDeliveries(input: ListDeliveries): Promise<Page<DeliveryView>>
  retryDelivery(actor: Actor, input: { readonly id: string }): Promise<DeliveryView>
}

export function buildWebhookOperations(context: WebhooksContext): WebhookOperations {
  const { sql, webhooks } = context
  return {
    listDeliveries: async ({ limit, cursor, state, webhook }) =>
      await readPage(
        { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) },
        {
          ...byId,
          read: (most, before: string | null) =>
            listDeliveries(sql, { state: state ?? null, webhook: webhook ?? null }, { limit: most, before }),
          view: delivery => deliveryView(delivery, webhooks()),
        },
      ),
    retryDelivery: (actor, input) => retry(context, actor, input),
  }
}

async function retry(
  { sql, webhooks, deliver }: WebhooksContext,
  actor: Actor,
  { id }: { readonly id: string },
): Promise<DeliveryView> {
  const found = await getDelivery(sql, id)
  if (!Object.hasOwn(webhooks(), found.webhook)) {
    throw conflict(`There is no webhook "${found.webhook}" in the configuration any more.`)
  }
  const outcome = found.state === 'dead' ? await retryDelivery(sql, found, authorOf(actor)) : 'stale'
  const now = await getDelivery(sql, id)
  if (outcome !== 'done') throw conflict(`The delivery is ${now.state}: only one that was given up is tried again.`)
  deliver()
  return deliveryView(now, webhooks())
}

async function getDelivery(sql: Sql, id: string): Promise<StoredDelivery> {
  const found = isUuid(id) ? await findDelivery(sql, id) : null
  if (found === null) throw new WeirError('resourceNotFound', `There is no delivery "${shown(id)}".`)
  return found
}

function deliveryView(delivery: StoredDelivery, webhooks: Config['webhooks']): DeliveryView {
  const { id, webhook, state, tries, event, lastError, createdAt, dueAt, endedAt } = delivery
  const url = Object.hasOwn(webhooks, webhook) ? webhooks[webhook]?.url : undefined
  return {
    id,
    object: 'webhook_delivery',
    webhook,
    // What stands in a query may be a secret.
    url: url === undefined ? null : url.replace(/\?.*$/s, ''),
    state,
    tries,
    last_error: lastError,
    created_at: createdAt.toISOString(),
    next_try_at: state === 'pending' ? dueAt.toISOString() : null,
    ended_at: endedAt?.toISOString() ?? null,
    event,
  }
}
