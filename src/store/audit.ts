/** The audit log. Whatever changes a record writes its entries in the same statement, by `writeAudit`. */
import type { ISql, JSONValue, PendingQuery, Row } from 'postgres'
import { firstIdAt, makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import type { ActorKind, AuditAction, Snapshot, TargetKind } from '../schemas/admin/audit.ts'
import { withDeadline } from './deadline.ts'

/** Who makes a change, as the log names them. */
export interface Author {
  readonly kind: ActorKind
  /** The public id of the key, or `issuer subject`; null where the kind says it all. */
  readonly id: string | null
  readonly account: string | null
  readonly requestId: string | null
}

/** Weir itself. */
export const system: Author = { kind: 'system', id: null, account: null, requestId: null }

export interface AuditEntry {
  readonly id: string
  readonly at: Date
  readonly author: Author
  readonly action: AuditAction
  readonly target: { readonly kind: TargetKind; readonly id: string }
  readonly before: Snapshot | null
  readonly after: Snapshot | null
}

/** What an entry says of the change itself; the rest is who and when. */
export interface AuditedChange extends Pick<AuditEntry, 'action' | 'before' | 'after'> {
  readonly targetId: string
  readonly at: Date
}

/**
 * The part of a statement that writes the entries of these changes: of those whose target is among the ids that `done`,
 * an expression of the same statement, has changed.
 */
export function writeAudit(
  sql: ISql,
  { author, changes, done }: { author: Author; changes: readonly AuditedChange[]; done: PendingQuery<Row[]> },
): PendingQuery<Row[]> {
  const rows = changes.map(({ targetId, at, action, before, after }) => {
    const target_kind = targetKindOf(action)
    const id = makeTimeOrderedId(at.getTime())
    return { id, at: at.toISOString(), action, target_kind, target_id: targetId, before, after }
  })
  return sql`
    insert into audit_log (id, at, actor_kind, actor_id, actor_account, action, target_kind, target_id, before, after, request_id)
    select entry.id, entry.at, ${author.kind}, ${author.id}, ${author.account}::uuid, entry.action, entry.target_kind,
           entry.target_id, entry.before, entry.after, ${author.requestId}
    from jsonb_to_recordset(${sql.json(rows as JSONValue)}) as entry (
      id uuid, at timestamptz, action text, target_kind text, target_id text, before jsonb, after jsonb
    )
    where entry.target_id in (${done})`
}

/** An action is called by the kind of record, a dot, and what is done to it. */
const targetKindOf = (action: AuditAction): TargetKind => action.slice(0, action.indexOf('.')) as TargetKind

export interface AuditFilter {
  readonly targetKind: TargetKind | null
  readonly targetId: string | null
  readonly actorKind: ActorKind | null
  readonly actorId: string | null
  readonly action: AuditAction | null
  /** Inclusive. */
  readonly since: Date | null
  /** Exclusive. */
  readonly until: Date | null
}

interface AuditRow extends Omit<AuditEntry, 'author' | 'target'> {
  readonly actorKind: ActorKind
  readonly actorId: string | null
  readonly actorAccount: string | null
  readonly requestId: string | null
  readonly targetKind: TargetKind
  readonly targetId: string
}

/**
 * Entries, newest first, `limit` at most, of those older than the entry with the id `before`. An entry's id begins with its
 * time, so that a range of time is one of the primary key.
 */
export async function listAudit(
  sql: ISql,
  filter: AuditFilter,
  { limit, before }: { limit: number; before: string | null },
): Promise<readonly AuditEntry[]> {
  const { targetKind, targetId, actorKind, actorId, action, since, until } = filter
  const rows = await withDeadline(sql<AuditRow[]>`
    select id, at, actor_kind as "actorKind", actor_id as "actorId", actor_account as "actorAccount", action,
           target_kind as "targetKind", target_id as "targetId", before, after, request_id as "requestId"
    from audit_log
    where true
      ${before === null ? sql`` : sql`and id < ${before}::uuid`}
      ${targetKind === null ? sql`` : sql`and target_kind = ${targetKind}`}
      ${targetId === null ? sql`` : sql`and target_id = ${targetId}`}
      ${actorKind === null ? sql`` : sql`and actor_kind = ${actorKind}`}
      ${actorId === null ? sql`` : sql`and actor_id = ${actorId}`}
      ${action === null ? sql`` : sql`and action = ${action}`}
      ${since === null ? sql`` : sql`and id >= ${firstIdAt(since.getTime())}::uuid`}
      ${until === null ? sql`` : sql`and id < ${firstIdAt(until.getTime())}::uuid`}
    order by id desc
    limit ${limit}`)
  return rows.map(({ actorKind: kind, actorId: id, actorAccount: account, requestId, ...row }) => ({
    id: row.id,
    at: row.at,
    author: { kind, id, account, requestId },
    action: row.action,
    target: { kind: row.targetKind, id: row.targetId },
    before: row.before,
    after: row.after,
  }))
}
