/** Whose use is told to whom. */
import type { Sql } from 'postgres'
import { getAccount } from '../admin/context.ts'
import type { Principal } from '../domain/principal.ts'
import { WeirError } from '../errors.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { UsageSumsView } from '../schemas/usage-list.ts'
import type { ListUsage, ReadUsage } from '../schemas/usage-query.ts'
import { readSums } from './usage-sums.ts'

/** Anybody's, for administrators. */
export async function readUsage(sql: Sql, input: ListUsage): Promise<Page<UsageSumsView>> {
  const { account, key, model, tier, backend, experiment, arm, endpoint, status, ...asked } = input
  const accountId = account === undefined ? undefined : (await getAccount({ sql }, account, 'account')).id
  const named = { account: accountId, key, model, tier, backend, experiment, arm, endpoint, status }
  return await readSums(sql, asked, withoutAbsent(named))
}

/**
 * What a caller has used itself. A key, or a token that was made of it, is told of itself alone: it may be in the hands of one
 * of many applications of an account. Who proves to be the account, not by one of its keys, is told of all of it.
 */
export async function readOwnUsage(
  sql: Sql,
  principal: Principal,
  { model, key, ...asked }: ReadUsage,
): Promise<Page<UsageSumsView>> {
  const filter = { account: principal.accountId, key: keyToldTo(principal, key), model }
  return await readSums(sql, asked, withoutAbsent(filter))
}

/** Of which key a caller is told: its own, or the one that was asked for by who has none. Throws where that is another's. */
export function keyToldTo({ keyId }: Principal, asked: string | undefined): string | undefined {
  if (keyId !== null && asked !== undefined && asked !== keyId) {
    const message =
      'A key is told what it has used itself: leave out key, or ask an administrator for GET /admin/usage.'
    throw new WeirError('insufficientPermissions', message, { param: 'key' })
  }
  return keyId ?? asked
}

export const withoutAbsent = (named: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
