/** What is to be posted to webhooks: put in once, by whoever notices, and taken out by any replica, with a lease. */
import type { ISql } from 'postgres'
import type { TryOutcome } from '../domain/webhook-delivery.ts'
import { withDeadline } from './deadline.ts'

export interface NewDelivery {
  readonly id: string
  /** Its name in weir.yaml. */
  readonly webhook: string
  readonly accountId: string
  /** Null where the limit is the account's. */
  readonly keyId: string | null
  readonly limit: string
  readonly period: string
  readonly periodEnds: Date
  readonly percent: number
  /** Of the limit, in tokens or nano-USD. */
  readonly size: number
  readonly body: string
}

/** How long a receiver may be away. */
export const patience = `interval '3 days'`
/** How long it is remembered what became of one, from the end of its period: so long nothing is told a second time. */
const retention = `interval '30 days'`
/** Of one whose receiver is in no configuration any more, so that nobody tries it. */
const grace = `interval '1 hour'`
const removedAtOnce = 1000

/** Puts in those that have not been put in before; says how many. */
export async function putDeliveries(sql: ISql, deliveries: readonly NewDelivery[]): Promise<number> {
  const rows = deliveries.map(({ accountId, keyId, limit, periodEnds, ...same }) => ({
    ...same,
    account_id: accountId,
    key_id: keyId ?? '',
    limit_name: limit,
    period_ends: periodEnds.toISOString(),
  }))
  const names = 'id, webhook, account_id, key_id, limit_name, period, period_ends, percent, size, body'
  // In one order, by which those who notice the same do not wait for each other in a circle.
  const [row] = await withDeadline(sql<[{ put: number }]>`
    with put as (
      insert into webhook_deliveries (${sql.unsafe(names)}, expires_at)
      select ${sql.unsafe(names)}, now() + ${sql.unsafe(patience)}
      from jsonb_to_recordset(${sql.json(rows)}) as entry (
        id uuid, webhook text, account_id uuid, key_id text, limit_name text, period text, period_ends timestamptz,
        percent smallint, size bigint, body text
      )
      order by webhook, account_id, key_id, limit_name, period, percent, size
      on conflict on constraint webhook_deliveries_once do nothing
      returning id
    )
    select count(*)::integer as put from put`)
  return row.put
}

export interface ClaimedDelivery {
  readonly id: string
  readonly webhook: string
  readonly body: string
  /** This one included. */
  readonly tries: number
}

/**
 * Takes what is due, of each receiver as many as there is `room` for, the longest due first. Nobody else gets them for
 * `leaseMs`; whoever has not said by then what became of them has lost them.
 */
export async function claimDeliveries(
  sql: ISql,
  wanted: readonly { readonly webhook: string; readonly room: number }[],
  leaseMs: number,
): Promise<readonly ClaimedDelivery[]> {
  return await withDeadline(sql<ClaimedDelivery[]>`
    with taken as materialized (
      select due.id
      from jsonb_to_recordset(${sql.json([...wanted])}) as wanted (webhook text, room integer)
      cross join lateral (
        select id from webhook_deliveries
        where webhook = wanted.webhook and state = 'pending' and due_at <= now()
        order by due_at limit wanted.room
        for update skip locked
      ) due
    )
    update webhook_deliveries d
    set tries = d.tries + 1, due_at = now() + ${leaseMs}::double precision * interval '1 millisecond'
    from taken where d.id = taken.id
    returning d.id, d.webhook, d.body, d.tries`)
}

export interface EndedTry {
  readonly outcome: TryOutcome
  /** Why it was not delivered, in a word or two; null where it was. */
  readonly error: string | null
  /** How long to wait where it is tried again. */
  readonly waitMs: number
}

/** What has become of a delivery by a try; `lost` where the try's lease had ended and it is another's by now. */
export async function endTry(
  sql: ISql,
  { id, tries }: Pick<ClaimedDelivery, 'id' | 'tries'>,
  { outcome, error, waitMs }: EndedTry,
): Promise<'pending' | 'delivered' | 'dead' | 'lost'> {
  const [row] = await withDeadline(sql<{ state: 'pending' | 'delivered' | 'dead' }[]>`
    update webhook_deliveries d
    set state = next.state, last_error = ${error}, ended_at = case when next.state <> 'pending' then now() end,
        due_at = now() + ${waitMs}::double precision * interval '1 millisecond'
    from (
      select id, case
        when ${outcome} = 'delivered' then 'delivered'
        when ${outcome} = 'gone' or now() >= expires_at then 'dead'
        else 'pending'
      end as state
      from webhook_deliveries where id = ${id}::uuid
    ) next
    where d.id = next.id and d.state = 'pending' and d.tries = ${tries}
    returning d.state`)
  return row?.state ?? 'lost'
}

export interface DeliveryCounts {
  readonly waiting: number
  readonly dead: number
}

/** Gives up what nobody tries any more, removes what is long over, and counts what was there before. */
export async function keepDeliveries(sql: ISql): Promise<DeliveryCounts> {
  const [row] = await withDeadline(sql<[DeliveryCounts]>`
    with expired as (
      update webhook_deliveries set state = 'dead', ended_at = now(), last_error = coalesce(last_error, 'not tried')
      where state = 'pending' and expires_at < now() - ${sql.unsafe(grace)} and due_at < now()
      returning id
    ),
    removed as (
      delete from webhook_deliveries where id in (
        select id from webhook_deliveries
        where state <> 'pending' and greatest(ended_at, period_ends) < now() - ${sql.unsafe(retention)}
        order by greatest(ended_at, period_ends)
        limit ${removedAtOnce}
      )
      returning id
    )
    select (select count(*) from webhook_deliveries where state = 'pending')::integer as waiting,
           (select count(*) from webhook_deliveries where state = 'dead')::integer as dead,
           (select count(*) from expired), (select count(*) from removed)`)
  return { waiting: row.waiting, dead: row.dead }
}
