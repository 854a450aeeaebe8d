import type { ISql, JSONValue } from 'postgres'
import type { KeyStanding } from '../domain/standing.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import { withDeadline } from './deadline.ts'

/** A stored key as an operator sees it. */
export interface KeyListing extends Omit<KeyStanding, 'digest' | 'accountId' | 'accountStatus'> {
  readonly name: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

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
  readonly metadata?: Readonly<Record<string, JSONValue>>
}

/** Stores a key. The public id is made by the caller, so a call that is repeated after a lost answer stores it once. */
export async function insertKey(sql: ISql, key: NewKeyRow): Promise<void> {
  await withDeadline(sql`
    insert into api_keys (public_id, account_id, name, digest, pepper_version, scopes, models, created_at, expires_at, metadata)
    values (${key.publicId}, ${key.accountId}, ${key.name}, ${key.digest}, ${key.pepperVersion},
            ${key.scopes && sql.array([...key.scopes])}, ${key.models && sql.array([...key.models])},
            ${key.createdAt}, ${key.expiresAt}, ${sql.json(key.metadata ?? {})})
    on conflict (public_id) do nothing`)
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

/** Keys, oldest first, `limit` at most; of one account where it is named. */
export async function listKeys(sql: ISql, accountName: string | null, limit: number): Promise<readonly KeyListing[]> {
  return await withDeadline(sql<KeyListing[]>`
    select k.public_id as "publicId", k.name, k.scopes, k.models, k.expires_at as "expiresAt",
           k.revoked_at as "revokedAt", k.created_at as "createdAt", k.last_used_at as "lastUsedAt",
           a.name as "accountName", a.tier
    from api_keys k join accounts a on a.id = k.account_id
    where ${accountName}::text is null or a.name = ${accountName}
    order by k.created_at, k.public_id
    limit ${limit}`)
}

/** Ends a key for good and returns when it ended (an earlier revocation keeps its time), or null if there is none. */
export async function revokeKey(sql: ISql, publicId: string): Promise<Date | null> {
  const [row] = await withDeadline(sql<{ revokedAt: Date }[]>`
    update api_keys set revoked_at = coalesce(revoked_at, now()) where public_id = ${publicId}
    returning revoked_at as "revokedAt"`)
  return row?.revokedAt ?? null
}
