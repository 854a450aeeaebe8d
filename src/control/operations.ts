/** What an operator can do, the same whether asked over the control socket or by a command with the database in hand. */
import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { makeApiKey, type Peppers } from '../domain/api-key.ts'
import type { Change } from '../domain/change.ts'
import { coversPattern } from '../domain/key-grant.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import {
  type CreatedKey,
  type CreateKey,
  CreateKeySchema,
  type KeyView,
  type ListKeys,
  ListKeysSchema,
  type RevokeKey,
  RevokeKeySchema,
} from '../schemas/admin/keys.ts'
import { parseShape } from '../schemas/check.ts'
import { type Account, findAccountByName, insertAccount } from '../store/accounts.ts'
import { insertKey, type KeyListing, listKeys, revokeKey } from '../store/keys.ts'

/** The request was understood and cannot be done; the message is for whoever asked. */
export class OperationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'OperationError'
  }
}

export interface Operations {
  createKey(input: CreateKey): Promise<CreatedKey>
  /** Oldest first, 1,000 at most. */
  listKeys(input: ListKeys): Promise<readonly KeyView[]>
  revokeKey(input: RevokeKey): Promise<{ readonly id: string; readonly revoked_at: string }>
}

export interface OperationsContext {
  readonly sql: Sql
  readonly peppers: Peppers
  readonly tiers: Config['tiers']
  /** Told when a key or an account has changed, so that whoever remembers it can forget it. */
  readonly announceChange: (change: Change) => void
}

const maxListed = 1000
const defaultTier = 'free'

export function buildOperations(context: OperationsContext): Operations {
  return {
    createKey: async input => createKey(context, parseShape(CreateKeySchema, input)),
    listKeys: async input => {
      const { account } = parseShape(ListKeysSchema, input)
      const keys = await listKeys(context.sql, account ?? null, maxListed)
      return keys.map(viewOf)
    },
    revokeKey: async input => {
      const { id } = parseShape(RevokeKeySchema, input)
      const revokedAt = await revokeKey(context.sql, id)
      if (!revokedAt) throw new OperationError(`There is no key with the id ${id}.`)
      context.announceChange({ kind: 'key', id })
      return { id, revoked_at: revokedAt.toISOString() }
    },
  }
}

async function createKey(context: OperationsContext, input: CreateKey): Promise<CreatedKey> {
  const expiresAt = input.expires_at === undefined ? null : new Date(input.expires_at)
  if (expiresAt && !(expiresAt.getTime() > Date.now())) throw new OperationError('The key would have expired already.')
  checkTier(context, input.tier)
  const account = await getAccount(context, input)
  checkGrant(context, input, account.tier)
  const { key, ...identity } = makeApiKey(context.peppers)
  const row = {
    name: input.name ?? 'key',
    scopes: input.scopes ?? null,
    models: input.models ?? null,
    createdAt: new Date(),
    expiresAt,
  }
  await insertKey(context.sql, { ...identity, ...row, accountId: account.id })
  const owner = { accountName: account.name, tier: account.tier }
  return { ...viewOf({ ...row, ...owner, publicId: identity.publicId, revokedAt: null }), key }
}

function checkTier({ tiers }: OperationsContext, tier: string | undefined): void {
  if (tier === undefined || Object.hasOwn(tiers, tier)) return
  throw new OperationError(`There is no tier "${tier}". There are: ${Object.keys(tiers).join(', ')}.`)
}

async function getAccount({ sql }: OperationsContext, input: CreateKey): Promise<Account> {
  const existing = await findAccountByName(sql, input.account)
  if (!existing) {
    const account = { id: makeTimeOrderedId(Date.now()), name: input.account, tier: input.tier ?? defaultTier }
    await insertAccount(sql, account)
  }
  const account = existing ?? (await findAccountByName(sql, input.account))
  if (!account) throw new OperationError(`The account "${input.account}" has just been removed.`)
  if (input.tier !== undefined && input.tier !== account.tier) {
    throw new OperationError(`The account "${account.name}" is of tier ${account.tier}, not ${input.tier}.`)
  }
  if (account.status !== 'active') throw new OperationError(`The account "${account.name}" is ${account.status}.`)
  return account
}

/** A key can only be narrower than its tier; what it could never use is refused here rather than silently ignored. */
function checkGrant({ tiers }: OperationsContext, { scopes, models }: CreateKey, tierName: string): void {
  const tier = tiers[tierName]
  if (!tier) throw new OperationError(`The account's tier "${tierName}" is not in the configuration.`)
  for (const scope of scopes ?? []) {
    if (scope === 'admin' || tier.scopes.includes(scope)) continue
    throw new OperationError(
      `The tier ${tierName} does not have the scope "${scope}". It has: ${tier.scopes.join(', ')}.`,
    )
  }
  for (const model of models ?? []) {
    if (tier.models.some(pattern => coversPattern(pattern, model))) continue
    throw new OperationError(`The tier ${tierName} may not use "${model}". It may use: ${tier.models.join(', ')}.`)
  }
}

function viewOf(key: Omit<KeyListing, 'lastUsedAt'>): KeyView {
  return {
    id: key.publicId,
    account: key.accountName,
    tier: key.tier,
    name: key.name,
    scopes: key.scopes,
    models: key.models,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  }
}
