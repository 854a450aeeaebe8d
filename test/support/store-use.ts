/** Every store of accounts and keys used once in its turn, as a running server does: what versions of Weir ask of the database. */
import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import {
  type Account,
  findAccountById,
  findAccountByName,
  findAccountByRequest,
  findDeletedAccount,
  findFormerAccounts,
  insertAccount,
  listAccounts,
  updateAccount,
} from '../../src/store/accounts.ts'
import { listAudit } from '../../src/store/audit.ts'
import { findKey, findOrProvision } from '../../src/store/callers.ts'
import { findKeyByRequest, findStoredKey, listKeys, type StoredKey } from '../../src/store/key-listing.ts'
import { hasUsableKey, insertKey, revokeKey, revokeKeysOf, rotateKey, updateKey } from '../../src/store/keys.ts'
import { LastUsed } from '../../src/store/last-used.ts'
import { checkPeppers } from '../../src/store/peppers.ts'
import { author, everyEntry, newKeyRow } from './conformance.ts'
import { peppersOf } from './peppers.ts'

const page = { limit: 10, before: null }
export async function useAccountsAndKeys(sql: Sql): Promise<void> {
  await checkPeppers(sql, peppersOf('a pepper that is long enough for tests'))
  await hasUsableKey(sql)
  const account = await useAccounts(sql)
  await useKeys(sql, account)
  await findOrProvision(
    sql,
    { issuer: 'https://login.example/', subject: randomUUID() },
    { tier: 'free', requestId: 'req_1', timeoutMs: 5000 },
  )
  await updateAccount(
    sql,
    { before: await found(sql, account.id), after: { ...account, status: 'suspended', deletedAt: new Date() } },
    author,
  )
  await findDeletedAccount(sql, account.name)
  await listAudit(sql, everyEntry, page)
}

async function found(sql: Sql, id: string): Promise<Account> {
  const account = await findAccountById(sql, id)
  if (account === null) throw new Error('the account is gone')
  return account
}

async function useAccounts(sql: Sql): Promise<Account> {
  const id = makeTimeOrderedId(Date.now())
  const name = `account ${id}`
  const identities = [{ issuer: 'https://login.example/', subject: id }]
  const origin = { createdBy: author.id ?? '', idempotencyKey: id, requestDigest: Buffer.from('digest') }
  await insertAccount(sql, { id, name, tier: 'free', identities, origin }, author)
  const before = await found(sql, id)
  await updateAccount(sql, { before, after: { ...before, tier: 'premium', updatedAt: new Date() } }, author)
  await findAccountByName(sql, name)
  await findAccountByRequest(sql, origin.createdBy, id)
  await findFormerAccounts(sql, identities)
  await listAccounts(sql, { name: null, tier: 'premium', status: 'active', includeDeleted: false }, page)
  return await found(sql, id)
}

async function useKeys(sql: Sql, { id: accountId }: Account): Promise<void> {
  const row = newKeyRow({ accountId, scopes: ['chat'], models: ['*'] })
  await insertKey(sql, row, author)
  await findKey(sql, row.publicId)
  const key = await stored(sql, row.publicId)
  await updateKey(sql, { before: key, after: { ...key, name: 'another', updatedAt: new Date() } }, author)
  const fresh = newKeyRow({ accountId })
  await rotateKey(
    sql,
    { old: await stored(sql, row.publicId), oldEndsAt: new Date(Date.now() + 60_000), fresh },
    author,
  )
  await findKeyByRequest(sql, author.id ?? '', row.publicId)
  const lastUsed = new LastUsed({ sql, intervalMs: 60_000, isReachable: () => true, log: { warn: () => undefined } })
  lastUsed.note(fresh.publicId, Date.now())
  await lastUsed.stop()
  await listKeys(sql, { accountId, status: 'active' }, page)
  await revokeKey(sql, fresh.publicId, author)
  await revokeKeysOf(sql, accountId, author)
}

async function stored(sql: Sql, publicId: string): Promise<StoredKey> {
  const key = await findStoredKey(sql, publicId)
  if (key === null) throw new Error('the key is gone')
  return key
}
