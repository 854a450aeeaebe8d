/** The look-ups of authentication: what stands behind a key, and behind who an issuer's token speaks for. */
import postgres, { type ISql } from 'postgres'
import type { AccountStanding, KeyStanding } from '../domain/standing.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import { defaultDeadlineMs, withDeadline } from './deadline.ts'

/** Whom a token of an issuer speaks for. */
export interface Identity {
  readonly issuer: string
  readonly subject: string
}

export async function findKey(
  sql: ISql,
  publicId: string,
  timeoutMs: number = defaultDeadlineMs,
): Promise<KeyStanding | null> {
  const [key] = await withDeadline(
    sql<KeyStanding[]>`
      select k.public_id as "publicId", k.digest, to_json(k.scopes) as scopes, to_json(k.models) as models, k.expires_at as "expiresAt",
             k.revoked_at as "revokedAt", a.id as "accountId", a.name as "accountName",
             a.status as "accountStatus", a.tier
      from api_keys k join accounts a on a.id = k.account_id
      where k.public_id = ${publicId}`,
    timeoutMs,
  )
  return key ?? null
}

export async function findIdentity(
  sql: ISql,
  { issuer, subject }: Identity,
  timeoutMs: number = defaultDeadlineMs,
): Promise<AccountStanding | null> {
  const [account] = await withDeadline(
    sql<AccountStanding[]>`
      select a.id as "accountId", a.name as "accountName", a.status as "accountStatus", a.tier
      from account_identities i join accounts a on a.id = i.account_id
      where i.issuer = ${issuer} and i.subject = ${subject}`,
    timeoutMs,
  )
  return account ?? null
}

/** Finds the account of an identity; makes it, of this tier, where there is none. */
export async function findOrProvision(
  sql: ISql,
  identity: Identity,
  { tier, timeoutMs }: { readonly tier: string; readonly timeoutMs: number },
): Promise<AccountStanding | null> {
  const known = await findIdentity(sql, identity, timeoutMs)
  if (known !== null) return known
  await provisionAccount(sql, identity, tier)
  return await findIdentity(sql, identity, timeoutMs)
}

const uniqueViolation = '23505'
/** Leaves room for an id behind it. */
const maxNameLength = 90

/**
 * Makes the account of somebody who came with a token, unless there is one. The account, its identity and the entry in
 * the audit log are one statement: all of it or nothing. It is named after issuer and subject, so that nobody gets the
 * name of an account that somebody else means; a name that is taken all the same gets the id behind it.
 */
export async function provisionAccount(sql: ISql, identity: Identity, tier: string): Promise<void> {
  try {
    await withDeadline(provision(sql, identity, tier))
  } catch (error) {
    const taken = error instanceof postgres.PostgresError && error.code === uniqueViolation
    if (!taken) throw error
    // Another replica was faster: with this identity, or with another one of the same name, which it sees by now.
    if (error.constraint_name === 'accounts_name') await withDeadline(provision(sql, identity, tier))
  }
}

function provision(sql: ISql, { issuer, subject }: Identity, tier: string) {
  // Nothing invisible: the name is what administrators tell accounts by.
  const name = `${issuer} ${subject}`.replace(/\p{C}/gu, '?').slice(0, maxNameLength).toWellFormed()
  const nowMs = Date.now()
  const [id, entryId] = [makeTimeOrderedId(nowMs), makeTimeOrderedId(nowMs)]
  return sql`
    with free as (
      select ${name}::text || case
        when exists (select from accounts where name = ${name} and deleted_at is null) then ${` ${id}`}::text
        else ''
      end as name
      where not exists (select from account_identities where issuer = ${issuer} and subject = ${subject})
    ), account as (
      insert into accounts (id, name, tier) select ${id}::uuid, name, ${tier} from free returning *
    ), identity as (
      insert into account_identities (issuer, subject, account_id) select ${issuer}, ${subject}, id from account
      returning issuer, subject
    )
    insert into audit_log (id, actor_kind, actor_id, actor_account, action, target_kind, target_id, after)
    select ${entryId}::uuid, 'jwt', ${`${issuer} ${subject}`}, a.id, 'account.create', 'account', a.id::text,
           jsonb_build_object('id', a.id, 'name', a.name, 'tier', a.tier, 'status', a.status,
             'identities', jsonb_build_array(jsonb_build_object('issuer', i.issuer, 'subject', i.subject)))
    from account a, identity i`
}
