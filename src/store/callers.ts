/** The look-ups of authentication: what stands behind a key, and behind who an issuer's token speaks for. */
import type { ISql } from 'postgres'
import type { AccountStanding, KeyStanding } from '../domain/standing.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import { type Identity, insertAccount } from './accounts.ts'
import { defaultDeadlineMs, withDeadline } from './deadline.ts'

export async function findKey(
  sql: ISql,
  publicId: string,
  timeoutMs: number = defaultDeadlineMs,
): Promise<KeyStanding | null> {
  const [key] = await withDeadline(
    sql<KeyStanding[]>`
      select k.public_id as "publicId", k.digest, to_json(k.scopes) as scopes, to_json(k.models) as models, k.expires_at as "expiresAt",
             k.revoked_at as "revokedAt", a.id as "accountId", a.name as "accountName",
             a.status as "accountStatus", a.tier, a.limits as "accountLimits", k.limits as "keyLimits", k.semantic_cache as "semanticCache"
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
      select a.id as "accountId", a.name as "accountName", a.status as "accountStatus", a.tier,
             a.limits as "accountLimits"
      from account_identities i join accounts a on a.id = i.account_id
      where i.issuer = ${issuer} and i.subject = ${subject}`,
    timeoutMs,
  )
  return account ?? null
}

export interface Provision {
  readonly tier: string
  /** The request that brought the token. */
  readonly requestId: string
  readonly timeoutMs: number
}

/** Finds the account of an identity; makes it where there is none. */
export async function findOrProvision(
  sql: ISql,
  identity: Identity,
  provision: Provision,
): Promise<AccountStanding | null> {
  const known = await findIdentity(sql, identity, provision.timeoutMs)
  if (known !== null) return known
  await provisionAccount(sql, identity, provision)
  return await findIdentity(sql, identity, provision.timeoutMs)
}

/** Leaves room for an id behind it. */
const maxNameLength = 90

/**
 * Makes the account of somebody who came with a token, unless another replica is faster. It is named after issuer and
 * subject, so that nobody gets the name of an account that somebody else means; where a name is taken all the same, the
 * id comes behind it.
 */
export async function provisionAccount(
  sql: ISql,
  identity: Identity,
  { tier, requestId }: Omit<Provision, 'timeoutMs'>,
): Promise<void> {
  const { issuer, subject } = identity
  const id = makeTimeOrderedId(Date.now())
  // Nothing invisible: the name is what administrators tell accounts by.
  const name = `${issuer} ${subject}`
    .normalize()
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
    .slice(0, maxNameLength)
  const author = { kind: 'jwt', id: `${issuer} ${subject}`, account: id, requestId } as const
  for (const free of [name.toWellFormed().trim(), `${name.toWellFormed()} ${id}`]) {
    const outcome = await insertAccount(sql, { id, name: free, tier, identities: [identity] }, author)
    if (outcome !== 'name-taken') return
  }
}
