/** Deliveries to webhooks as those see them who administer Weir. */
import type { ISql } from 'postgres'
import type { Snapshot } from '../schemas/admin/audit.ts'
import type { DeliveryState } from '../schemas/admin/webhooks.ts'
import type { WebhookEvent } from '../schemas/webhook-event.ts'
import { type Author, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'
import { patience } from './webhook-deliveries.ts'

export interface StoredDelivery {
  readonly id: string
  readonly webhook: string
  readonly state: DeliveryState
  readonly tries: number
  readonly event: WebhookEvent
  readonly lastError: string | null
  readonly createdAt: Date
  /** Of what is pending: not tried before. */
  readonly dueAt: Date
  readonly endedAt: Date | null
}

const columns = (sql: ISql) => sql`
  id, webhook, state, tries, body::json as event, last_error as "lastError", created_at as "createdAt", due_at as "dueAt",
  ended_at as "endedAt"`

/** Newest first, `limit` at most, of those older than the one with the id `before`. */
export async function listDeliveries(
  sql: ISql,
  { state, webhook }: { readonly state: DeliveryState | null; readonly webhook: string | null },
  { limit, before }: { limit: number; before: string | null },
): Promise<readonly StoredDelivery[]> {
  return await withDeadline(sql<StoredDelivery[]>`
    select ${columns(sql)} from webhook_deliveries
    where true
      ${state === null ? sql`` : sql`and state = ${state}`}
      ${webhook === null ? sql`` : sql`and webhook = ${webhook}`}
      ${before === null ? sql`` : sql`and id < ${before}::uuid`}
    order by id desc
    limit ${limit}`)
}

export async function findDelivery(sql: ISql, id: string): Promise<StoredDelivery | null> {
  const [row] = await withDeadline(
    sql<StoredDelivery[]>`select ${columns(sql)} from webhook_deliveries where id = ${id}::uuid`,
  )
  return row ?? null
}

/** Lets what was given up be tried again from now on, as if it were new. `stale` where it is not given up any more. */
export async function retryDelivery(sql: ISql, delivery: StoredDelivery, author: Author): Promise<ChangeOutcome> {
  const { id } = delivery
  const before = deliverySnapshot(delivery)
  const after = { ...before, state: 'pending', tries: 0 }
  const changes = [{ action: 'webhook_delivery.retry', targetId: id, at: new Date(), before, after }] as const
  return await outcomeOf(sql`
    with changed as (
      update webhook_deliveries
      set state = 'pending', tries = 0, ended_at = null, due_at = now(), expires_at = now() + ${sql.unsafe(patience)}
      where id = ${id}::uuid and state = 'dead'
      returning id::text
    ),
    logged as (${writeAudit(sql, { author, changes, done: sql`select id from changed` })})
    select id from changed`)
}

/** In the words of the admin API, as the audit log keeps it. */
function deliverySnapshot({ webhook, state, tries, lastError }: StoredDelivery): Snapshot {
  return { webhook, state, tries, last_error: lastError }
}
