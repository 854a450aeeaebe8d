/** API keys as those see them who administer them. */
import type { ISql } from 'postgres'
import type { Snapshot } from '../schemas/admin/audit.ts'
import type { Metadata } from '../schemas/admin/fields.ts'
import type { KeyLimits, Limits } from '../schemas/admin/limits.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import type { AccountStatus } from './accounts.ts'
import { withDeadline } from './deadline.ts'

/** A stored key, with what its account says. */
export interface StoredKey {
  readonly publicId: string
  readonly name: string
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
  readonly limits: KeyLimits
  readonly semanticCache: boolean
  readonly metadata: Metadata
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
  readonly replaces: string | null
  readonly replacedBy: string | null
  readonly accountId: string
  readonly accountName: string
  readonly accountStatus: AccountStatus
  readonly tier: string
  readonly accountLimits: Limits
  /** Change with the rows: a change that was decided on others is stale. */
  readonly version: string
  readonly accountVersion: string
}

const selection = (sql: ISql) => sql`
  select k.public_id as "publicId", k.name, to_json(k.scopes) as scopes, to_json(k.models) as models, k.limits, k.semantic_cache as "semanticCache", k.metadata, k.created_at as "createdAt",
         k.updated_at as "updatedAt", k.expires_at as "expiresAt", k.revoked_at as "revokedAt",
         k.last_used_at as "lastUsedAt", k.replaces, k.xmin::text as version,
         (select other.public_id from api_keys other where other.replaces = k.public_id) as "replacedBy",
         a.id as "accountId", a.name as "accountName", a.status as "accountStatus", a.tier, a.limits as "accountLimits",
         a.xmin::text as "accountVersion", k.request_digest as "requestDigest"
  from api_keys k join accounts a on a.id = k.account_id`

type Selected = StoredKey & { readonly requestDigest: Buffer | null }

const read = ({ requestDigest: _, ...key }: Selected): StoredKey => key

export async function findStoredKey(sql: ISql, publicId: string): Promise<StoredKey | null> {
  const [row] = await withDeadline(sql<Selected[]>`${selection(sql)} where k.public_id = ${publicId}`)
  return row === undefined ? null : read(row)
}

/** What the same caller has made by the same Idempotency-Key before. */
export async function findKeyByRequest(
  sql: ISql,
  createdBy: string,
  idempotencyKey: string,
): Promise<{ readonly key: StoredKey; readonly requestDigest: Buffer } | null> {
  const [row] = await withDeadline(sql<Selected[]>`
    ${selection(sql)} where k.created_by = ${createdBy} and k.idempotency_key = ${idempotencyKey}`)
  return row === undefined ? null : { key: read(row), requestDigest: row.requestDigest ?? Buffer.alloc(0) }
}

export type KeyStatus = 'active' | 'expired' | 'revoked'

export function statusOfKey({ revokedAt, expiresAt }: StoredKey, nowMs: number): KeyStatus {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && expiresAt.getTime() <= nowMs ? 'expired' : 'active'
}

const whereStatus = (sql: ISql, status: KeyStatus, now: Date) => {
  switch (status) {
    case 'revoked':
      return sql`and k.revoked_at is not null`
    case 'expired':
      return sql`and k.revoked_at is null and k.expires_at <= ${now}`
    case 'active':
      return sql`and k.revoked_at is null and (k.expires_at is null or k.expires_at > ${now})`
  }
}

export interface KeyFilter {
  readonly accountId: string | null
  readonly status: KeyStatus | null
}

/** The place of a key in the list. */
export interface KeyPosition {
  readonly createdAt: Date
  readonly publicId: string
}

/** Keys, newest first, `limit` at most, of those older than the one at `before`. */
export async function listKeys(
  sql: ISql,
  { accountId, status }: KeyFilter,
  { limit, before }: { limit: number; before: KeyPosition | null },
): Promise<readonly StoredKey[]> {
  const rows = await withDeadline(sql<Selected[]>`
    ${selection(sql)}
    where true
      ${before === null ? sql`` : sql`and (k.created_at, k.public_id) < (${before.createdAt}, ${before.publicId})`}
      ${accountId === null ? sql`` : sql`and k.account_id = ${accountId}`}
      ${status === null ? sql`` : whereStatus(sql, status, new Date())}
    order by k.created_at desc, k.public_id desc
    limit ${limit}`)
  return rows.map(read)
}

type OfAccount = 'accountName' | 'accountStatus' | 'tier' | 'accountLimits' | 'accountVersion'
type Snapped = Omit<StoredKey, OfAccount | 'lastUsedAt' | 'version'>

/**
 * What a key says itself, in the words of the admin API, as the audit log keeps it: without what is its account's, and
 * without what changes by itself.
 */
export function keySnapshot(key: Snapped): Snapshot {
  return {
    id: key.publicId,
    object: 'api_key',
    account: key.accountId,
    name: key.name,
    scopes: key.scopes,
    models: key.models,
    limits: key.limits,
    semantic_cache: key.semanticCache,
    metadata: key.metadata,
    created_at: key.createdAt.toISOString(),
    updated_at: key.updatedAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    replaces: key.replaces,
    replaced_by: key.replacedBy,
  }
}
