import { isDeepStrictEqual } from 'node:util'
import type { ISql } from 'postgres'
import type { AccountView } from '../schemas/admin/accounts.ts'
import type { Metadata } from '../schemas/admin/fields.ts'
import type { Limits } from '../schemas/admin/limits.ts'
import { type Author, system, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'

/** The account of the preset admin key and of the key made on first start; every database has it. */
export const defaultAccount = {
  id: '00000000-0000-7000-8000-000000000000',
  name: 'default',
  tier: 'enterprise',
} as const

export type AccountStatus = 'active' | 'suspended'

/** Who the tokens of an issuer speak for. */
export type Identity = { readonly issuer: string; readonly subject: string }

export interface Account {
  readonly id: string
  readonly name: string
  readonly tier: string
  readonly status: AccountStatus
  readonly limits: Limits
  /** In the order of their issuers, then of their subjects. Of one that is deleted none: see updateAccount. */
  readonly identities: readonly Identity[]
  readonly metadata: Metadata
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
  /** Changes with the row: a change that was decided on another version is stale. */
  readonly version: string
}

/** Who asked for a record by which Idempotency-Key. */
export interface Origin {
  readonly createdBy: string
  readonly idempotencyKey: string | null
  /** Of what was asked for, to tell a repetition from another request. */
  readonly requestDigest: Buffer
}

export interface NewAccount
  extends Pick<Account, 'id' | 'name' | 'tier'>,
    Partial<Pick<Account, 'status' | 'limits' | 'identities' | 'metadata' | 'createdAt'>> {
  readonly origin?: Origin
}

const columns = (sql: ISql) => sql`
  a.id, a.name, a.tier, a.status, a.limits, a.metadata, a.created_at as "createdAt", a.updated_at as "updatedAt",
  a.deleted_at as "deletedAt", a.xmin::text as version,
  coalesce((
    select jsonb_agg(jsonb_build_object('issuer', i.issuer, 'subject', i.subject))
    from account_identities i where i.account_id = a.id and a.deleted_at is null
  ), '[]') as identities`

const read = (account: Account): Account => ({ ...account, identities: sortIdentities(account.identities) })

export async function findAccountById(sql: ISql, id: string): Promise<Account | null> {
  const [account] = await withDeadline(sql<Account[]>`select ${columns(sql)} from accounts a where a.id = ${id}::uuid`)
  return account === undefined ? null : read(account)
}

/** Not one that was deleted: its name may be another's by now. */
export async function findAccountByName(sql: ISql, name: string): Promise<Account | null> {
  const [account] = await withDeadline(sql<Account[]>`
    select ${columns(sql)} from accounts a where a.name = ${name} and a.deleted_at is null`)
  return account === undefined ? null : read(account)
}

/** The one that had this name last. */
export async function findDeletedAccount(sql: ISql, name: string): Promise<Account | null> {
  const [account] = await withDeadline(sql<Account[]>`
    select ${columns(sql)} from accounts a where a.name = ${name} and a.deleted_at is not null
    order by a.deleted_at desc limit 1`)
  return account === undefined ? null : read(account)
}

/** The deleted accounts that these identities are still bound to. */
export async function findFormerAccounts(sql: ISql, identities: readonly Identity[]): Promise<readonly string[]> {
  if (identities.length === 0) return []
  const rows = await withDeadline(sql<{ id: string }[]>`
    select distinct a.id from accounts a join account_identities i on i.account_id = a.id
    join jsonb_to_recordset(${sql.json(identities)}) as entry (issuer text, subject text)
      on i.issuer = entry.issuer and i.subject = entry.subject
    where a.deleted_at is not null`)
  return rows.map(({ id }) => id)
}

/** What the same caller has made by the same Idempotency-Key before. */
export async function findAccountByRequest(
  sql: ISql,
  createdBy: string,
  idempotencyKey: string,
): Promise<{ readonly account: Account; readonly requestDigest: Buffer } | null> {
  const [row] = await withDeadline(sql<(Account & { requestDigest: Buffer })[]>`
    select ${columns(sql)}, a.request_digest as "requestDigest" from accounts a
    where a.created_by = ${createdBy} and a.idempotency_key = ${idempotencyKey}`)
  if (row === undefined) return null
  const { requestDigest, ...account } = row
  return { account: read(account), requestDigest }
}

export interface AccountFilter {
  readonly name: string | null
  readonly tier: string | null
  readonly status: AccountStatus | null
  readonly includeDeleted: boolean
}

/** Accounts, newest first, `limit` at most, of those older than the account with the id `before`. */
export async function listAccounts(
  sql: ISql,
  { name, tier, status, includeDeleted }: AccountFilter,
  { limit, before }: { limit: number; before: string | null },
): Promise<readonly Account[]> {
  const accounts = await withDeadline(sql<Account[]>`
    select ${columns(sql)} from accounts a
    where true
      ${before === null ? sql`` : sql`and a.id < ${before}::uuid`}
      ${name === null ? sql`` : sql`and a.name = ${name}`}
      ${tier === null ? sql`` : sql`and a.tier = ${tier}`}
      ${status === null ? sql`` : sql`and a.status = ${status}`}
      ${includeDeleted ? sql`` : sql`and a.deleted_at is null`}
    order by a.id desc
    limit ${limit}`)
  return accounts.map(read)
}

/** Makes an account. The id is the caller's. Of two with one name, or one identity, the second is refused. */
export async function insertAccount(sql: ISql, fresh: NewAccount, author: Author = system): Promise<ChangeOutcome> {
  const account = withDefaults(fresh)
  const { origin } = fresh
  const change = { action: 'account.create', targetId: account.id, at: account.createdAt, before: null } as const
  const changes = [{ ...change, after: accountSnapshot(account) }]
  return await outcomeOf(sql`
    with made as (
      insert into accounts (id, name, tier, status, limits, metadata, created_at, updated_at,
                            created_by, idempotency_key, request_digest)
      values (${account.id}, ${account.name}, ${account.tier}, ${account.status}, ${sql.json(account.limits)},
              ${sql.json(account.metadata)}, ${account.createdAt}, ${account.updatedAt},
              ${origin?.createdBy ?? null}, ${origin?.idempotencyKey ?? null}, ${origin?.requestDigest ?? null})
      returning id
    ),
    ${link(sql, account.identities, sql`select id from made`)},
    logged as (${writeAudit(sql, { author, changes, done: sql`select id::text from made` })})
    select id from made`)
}

/**
 * Makes `before`, as it was read, into `after`. A name or an identity that another account has is refused. The identities of
 * an account that is deleted stay bound to it, so that nobody who was shut out with it is given a new account on their next
 * call; another account may be given them.
 */
export async function updateAccount(
  sql: ISql,
  { before, after }: { before: Account; after: Account },
  author: Author,
): Promise<ChangeOutcome> {
  const isNewIn = (old: Account) => (identity: Identity) =>
    !old.identities.some(known => isDeepStrictEqual(known, identity))
  const added = after.identities.filter(isNewIn(before))
  const isDeletion = before.deletedAt === null && after.deletedAt !== null
  const removed = isDeletion ? [] : before.identities.filter(isNewIn(after))
  const action = isDeletion ? 'account.delete' : 'account.update'
  const snapshots = { before: accountSnapshot(before), after: accountSnapshot(after) }
  const changes = [{ action, targetId: after.id, at: after.updatedAt, ...snapshots }] as const
  return await outcomeOf(sql`
    with changed as (
      update accounts a set name = ${after.name}, tier = ${after.tier}, status = ${after.status},
             limits = ${sql.json(after.limits)}, metadata = ${sql.json(after.metadata)},
             updated_at = ${after.updatedAt}, deleted_at = ${after.deletedAt}
      where a.id = ${before.id} and a.xmin::text = ${before.version}
      returning a.id
    ),
    unlinked as (
      delete from account_identities i using changed,
             jsonb_to_recordset(${sql.json(removed)}) as gone (issuer text, subject text)
      where i.account_id = changed.id and i.issuer = gone.issuer and i.subject = gone.subject
    ),
    ${link(sql, added, sql`select id from changed`)},
    logged as (${writeAudit(sql, { author, changes, done: sql`select id::text from changed` })})
    select id from changed`)
}

/** Those of deleted accounts are taken over; one that another account has breaks the primary key. */
const link = (sql: ISql, identities: readonly Identity[], account: ReturnType<ISql>) => sql`
  wanted as (
    select entry.issuer, entry.subject, account.id
    from (${account}) as account, jsonb_to_recordset(${sql.json(identities)}) as entry (issuer text, subject text)
  ),
  taken_over as (
    update account_identities i set account_id = wanted.id from wanted, accounts former
    where i.issuer = wanted.issuer and i.subject = wanted.subject
      and former.id = i.account_id and former.deleted_at is not null
    returning i.issuer, i.subject
  ),
  linked as (
    insert into account_identities (issuer, subject, account_id)
    select issuer, subject, id from wanted where (issuer, subject) not in (select issuer, subject from taken_over)
  )`

function withDefaults(fresh: NewAccount): Account {
  const createdAt = fresh.createdAt ?? new Date()
  return {
    id: fresh.id,
    name: fresh.name,
    tier: fresh.tier,
    status: fresh.status ?? 'active',
    limits: fresh.limits ?? {},
    identities: sortIdentities(fresh.identities ?? []),
    metadata: fresh.metadata ?? {},
    createdAt,
    updatedAt: createdAt,
    deletedAt: null,
    version: '',
  }
}

/** An account in the words of the admin API, as the audit log keeps it. */
export function accountSnapshot(account: Account): AccountView {
  const { id, name, tier, status, limits, identities, metadata, createdAt, updatedAt, deletedAt } = account
  return {
    id,
    object: 'account',
    name,
    tier,
    status,
    limits,
    identities: [...identities],
    metadata,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
    deleted_at: deletedAt?.toISOString() ?? null,
  }
}

/** By code unit and not by a language's order, which the database may have another of. */
export function sortIdentities(identities: readonly Identity[]): readonly Identity[] {
  const keyOf = ({ issuer, subject }: Identity) => `${issuer}\u0000${subject}`
  return identities.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
