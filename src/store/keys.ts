import type { ISql, PendingQuery, Row } from 'postgres'
import type { Metadata } from '../schemas/admin/fields.ts'
import type { KeyLimits } from '../schemas/admin/limits.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import type { Origin } from './accounts.ts'
import { type Author, system, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf, retryStale, timeOfChange } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'
import { findStoredKey, keySnapshot, listKeys, type StoredKey } from './key-listing.ts'

export interface NewKeyRow {
  readonly publicId: string
  readonly accountId: string
  readonly name: string
  readonly digest: Buffer
  readonly pepperVersion: number
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly limits?: KeyLimits
  readonly semanticCache?: boolean
  readonly metadata?: Metadata
  readonly origin?: Origin
  /** The version of the account that it was decided on; without it any will do. */
  readonly accountVersion?: string
}

/**
 * Stores a key. The public id is made by the caller, so a call that is repeated after a lost answer stores it once; the
 * second is `stale`.
 */
export async function insertKey(sql: ISql, key: NewKeyRow, author: Author = system): Promise<ChangeOutcome> {
  const { accountId, accountVersion } = key
  const owner = accountVersion === undefined ? sql`select` : lockAccount(sql, { accountId, accountVersion })
  const change = { action: 'key.create', targetId: key.publicId, at: key.createdAt, before: null } as const
  const changes = [{ ...change, after: keySnapshot(asMade(key, null)) }]
  return await outcomeOf(sql`
    with owner as materialized (${owner}),
    made as (${insertion(sql, key, { replaces: null, source: sql`owner` })} on conflict (public_id) do nothing returning public_id),
    logged as (${writeAudit(sql, { author, changes, done: sql`select public_id from made` })})
    select public_id from made`)
}

/** The account, as it was read: nobody changes it before this statement is done, and none that has been changed is found. */
const lockAccount = (sql: ISql, { accountId, accountVersion }: { accountId: string; accountVersion: string }) => sql`
  select a.id from accounts a where a.id = ${accountId} and a.xmin::text = ${accountVersion} for share`

/** Texts as a `text[]`: the client knows no arrays (see src/store/database.ts), but JSON. */
const textArray = (sql: ISql, texts: readonly string[] | null) =>
  texts === null ? sql`null::text[]` : sql`array(select jsonb_array_elements_text(${sql.json([...texts])}))`

/** One row for each of `source`. */
const insertion = (
  sql: ISql,
  key: NewKeyRow,
  { replaces, source }: { replaces: string | null; source: PendingQuery<Row[]> },
) => sql`
  insert into api_keys (public_id, account_id, name, digest, pepper_version, scopes, models, limits, semantic_cache, metadata,
                        created_at, updated_at, expires_at, replaces, created_by, idempotency_key, request_digest)
  select ${key.publicId}, ${key.accountId}::uuid, ${key.name}, ${key.digest}::bytea, ${key.pepperVersion}::smallint,
         ${textArray(sql, key.scopes)}, ${textArray(sql, key.models)},
         ${sql.json(key.limits ?? {})}, ${key.semanticCache ?? false}::boolean, ${sql.json(key.metadata ?? {})}, ${key.createdAt}::timestamptz,
         ${key.createdAt}::timestamptz, ${key.expiresAt}::timestamptz, ${replaces}, ${key.origin?.createdBy ?? null},
         ${key.origin?.idempotencyKey ?? null}, ${key.origin?.requestDigest ?? null}::bytea
  from ${source}`

const asMade = (key: NewKeyRow, replaces: string | null) => ({
  ...key,
  limits: key.limits ?? {},
  semanticCache: key.semanticCache ?? false,
  metadata: key.metadata ?? {},
  updatedAt: key.createdAt,
  revokedAt: null,
  replaces,
  replacedBy: null,
})

/** Makes `before`, as it was read, into `after`. */
export async function updateKey(
  sql: ISql,
  { before, after }: { before: StoredKey; after: StoredKey },
  author: Author,
): Promise<ChangeOutcome> {
  const action = before.revokedAt === null && after.revokedAt !== null ? 'key.revoke' : 'key.update'
  const snapshots = { before: keySnapshot(before), after: keySnapshot(after) }
  const changes = [{ action, targetId: after.publicId, at: after.updatedAt, ...snapshots }] as const
  return await outcomeOf(sql`
    with owner as materialized (${lockAccount(sql, before)}),
    changed as (
      update api_keys k set name = ${after.name}, scopes = ${textArray(sql, after.scopes)},
             models = ${textArray(sql, after.models)}, limits = ${sql.json(after.limits)},
             semantic_cache = ${after.semanticCache}, metadata = ${sql.json(after.metadata)}, expires_at = ${after.expiresAt}, revoked_at = ${after.revokedAt},
             updated_at = ${after.updatedAt}
      where k.public_id = ${before.publicId} and k.xmin::text = ${before.version} and exists (select from owner)
      returning k.public_id
    ),
    logged as (${writeAudit(sql, { author, changes, done: sql`select public_id from changed` })})
    select public_id from changed`)
}

/** Stores a key in place of `old`, which ends at `oldEndsAt`. */
export async function rotateKey(
  sql: ISql,
  { old, oldEndsAt, fresh }: { old: StoredKey; oldEndsAt: Date; fresh: NewKeyRow },
  author: Author,
): Promise<ChangeOutcome> {
  const at = fresh.createdAt
  const ended = { ...old, expiresAt: oldEndsAt, updatedAt: at, replacedBy: fresh.publicId }
  const after = keySnapshot(asMade(fresh, old.publicId))
  const changes = [
    { action: 'key.rotate', targetId: old.publicId, at, before: keySnapshot(old), after: keySnapshot(ended) },
    { action: 'key.create', targetId: fresh.publicId, at, before: null, after },
  ] as const
  const done = sql`select replaces from made union all select public_id from made`
  return await outcomeOf(sql`
    with owner as materialized (${lockAccount(sql, old)}),
    ended as (
      update api_keys k set expires_at = ${oldEndsAt}, updated_at = ${at}
      where k.public_id = ${old.publicId} and k.xmin::text = ${old.version} and exists (select from owner)
      returning k.public_id
    ),
    made as (${insertion(sql, fresh, { replaces: old.publicId, source: sql`ended` })} returning public_id, replaces),
    logged as (${writeAudit(sql, { author, changes, done })})
    select public_id from made`)
}

/** Whether anybody could authenticate: a key neither revoked nor expired, of an active account. */
export async function hasUsableKey(sql: ISql): Promise<boolean> {
  const [row] = await withDeadline(sql<{ found: boolean }[]>`
    select exists (
      select 1 from api_keys k join accounts a on a.id = k.account_id
      where k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and a.status = 'active'
    ) as found`)
  return row?.found ?? false
}

/** Ends a key for good and returns when it ended (an earlier revocation keeps its time), or null if there is none. */
export async function revokeKey(sql: ISql, publicId: string, author: Author = system): Promise<Date | null> {
  return await retryStale(async () => {
    const key = await findStoredKey(sql, publicId)
    if (key === null || key.revokedAt !== null) return key?.revokedAt ?? null
    const now = timeOfChange(key)
    const after = { ...key, revokedAt: now, updatedAt: now }
    return (await updateKey(sql, { before: key, after }, author)) === 'done' ? now : 'stale'
  })
}

const revokedAtOnce = 200

/** Ends all keys of an account that gets no more of them, since it is deleted; each has its entry in the audit log. */
export async function revokeKeysOf(sql: ISql, accountId: string, author: Author): Promise<void> {
  for (const status of ['active', 'expired'] as const) {
    await retryStale(async () => {
      for (;;) {
        const keys = await listKeys(sql, { accountId, status }, { limit: revokedAtOnce, before: null })
        if (keys.length === 0) return 'done'
        if ((await revokeAll(sql, keys, author)) !== 'done') return 'stale'
      }
    })
  }
}

/** Those that have been changed meanwhile stay as they are. */
async function revokeAll(sql: ISql, keys: readonly StoredKey[], author: Author): Promise<ChangeOutcome> {
  const ended = keys.map(key => {
    const at = timeOfChange(key)
    return { key, at, after: { ...key, revokedAt: at, updatedAt: at } }
  })
  const changes = ended.map(({ key, at, after }) => {
    const snapshots = { before: keySnapshot(key), after: keySnapshot(after) }
    return { action: 'key.revoke', targetId: key.publicId, at, ...snapshots } as const
  })
  const rows = ended.map(({ key, at }) => ({ id: key.publicId, version: key.version, at: at.toISOString() }))
  return await outcomeOf(sql`
    with ended as (
      update api_keys k set revoked_at = entry.at, updated_at = entry.at
      from jsonb_to_recordset(${sql.json(rows)}) as entry (id text, version text, at timestamptz)
      where k.public_id = entry.id and k.xmin::text = entry.version
      returning k.public_id
    ),
    logged as (${writeAudit(sql, { author, changes, done: sql`select public_id from ended` })})
    select public_id from ended`)
}
