import { isDeepStrictEqual } from 'node:util'
import { findLack } from '../domain/authority.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import { WeirError } from '../errors.ts'
import type { AccountView, CreateAccount, ListAccounts, UpdateAccount } from '../schemas/admin/accounts.ts'
import type { KeyFields } from '../schemas/admin/keys.ts'
import type { Page } from '../schemas/admin/list.ts'
import {
  type Account,
  accountSnapshot,
  defaultAccount,
  findAccountByName,
  findAccountByRequest,
  findDeletedAccount,
  findFormerAccounts,
  type Identity,
  insertAccount,
  listAccounts,
  sortIdentities,
  updateAccount,
} from '../store/accounts.ts'
import { retryStale, timeOfChange } from '../store/change-outcome.ts'
import { revokeKeysOf } from '../store/keys.ts'
import { type Actor, authorOf } from './actor.ts'
import {
  announced,
  conflict,
  findAccount,
  findTier,
  getAccount,
  getTier,
  type OperationsContext,
  refuseLack,
} from './context.ts'
import { type Creation, type CreationRequest, makeOnce, originOf } from './creation.ts'
import { requireKeyFields } from './key-grants.ts'
import { newName, sameName } from './names.ts'
import { byId, readPage } from './page.ts'
import { authorityOf, powerOfAccount } from './powers.ts'

const defaultTier = 'free'

interface EnsureAccount {
  readonly name: string
  readonly tier?: string
  readonly key?: KeyFields
}

export interface AccountOperations {
  /** `account` is an id or a name, here and below. */
  getAccount(input: { readonly account: string }): Promise<AccountView>
  listAccounts(input: ListAccounts): Promise<Page<AccountView>>
  createAccount(actor: Actor, request: CreationRequest<CreateAccount>): Promise<Creation<AccountView, AccountView>>
  /**
   * The account of this name; made where there is none, unless the key that is to be made for it could not be. One of
   * another tier than the one that is named is refused.
   */
  ensureAccount(actor: Actor, input: EnsureAccount): Promise<AccountView>
  updateAccount(
    actor: Actor,
    input: { readonly account: string; readonly changes: UpdateAccount },
  ): Promise<AccountView>
  /** Ends its keys and frees its name; its identities stay shut out until another account is given them. May be repeated. */
  deleteAccount(actor: Actor, input: { readonly account: string }): Promise<AccountView>
}

export function buildAccountOperations(context: OperationsContext): AccountOperations {
  const { sql } = context
  return {
    getAccount: async ({ account }) => accountSnapshot(await getAccount(context, account)),
    listAccounts: async ({ name = null, tier = null, status = null, include_deleted = false, ...page }) => {
      const filter = { name: name === null ? null : sameName(name), tier, status, includeDeleted: include_deleted }
      const read = (limit: number, before: string | null) => listAccounts(sql, filter, { limit, before })
      return await readPage(page, { ...byId, read, view: accountSnapshot })
    },
    createAccount: (actor, request) => create(context, actor, request),
    ensureAccount: (actor, input) => ensure(context, actor, input),
    updateAccount: (actor, input) => update(context, actor, input),
    deleteAccount: (actor, { account }) => remove(context, actor, account),
  }
}

async function ensure(
  context: OperationsContext,
  actor: Actor,
  { key = {}, ...body }: EnsureAccount,
): Promise<AccountView> {
  return await retryStale(async () => {
    const found = await findAccount(context, body.name)
    if (found !== null) {
      if (body.tier === undefined || body.tier === found.tier) return accountSnapshot(found)
      throw conflict(`The account "${found.name}" is of tier ${found.tier}, not ${body.tier}.`, 'tier')
    }
    const { tier = defaultTier } = body
    requireKeyFields(tier, getTier(context, tier), key)
    try {
      return (await create(context, actor, { body, idempotencyKey: null })).record
    } catch (error) {
      // Somebody else has just made it.
      if (error instanceof WeirError && error.kind === 'conflict' && error.param === 'name') return 'stale'
      throw error
    }
  })
}

const nameTaken = (name: string) => conflict(`There is an account "${name}" already.`, 'name')
const identityTaken = () => conflict('One of the identities is that of another account.', 'identities')

async function create(
  context: OperationsContext,
  actor: Actor,
  request: CreationRequest<CreateAccount>,
): Promise<Creation<AccountView, AccountView>> {
  const { sql } = context
  const { tier = defaultTier, status = 'active', limits, identities = [], metadata = {} } = request.body
  const origin = originOf(actor, 'account.create', request)
  const findEarlier = async (createdBy: string, idempotencyKey: string) => {
    const earlier = await findAccountByRequest(sql, createdBy, idempotencyKey)
    return earlier && { record: accountSnapshot(earlier.account), requestDigest: earlier.requestDigest }
  }
  const make = async () => {
    getTier(context, tier)
    const name = newName(request.body.name)
    const now = new Date()
    const made = { createdAt: now, updatedAt: now, deletedAt: null, version: '' }
    const given = { name, tier, status, limits: limits ?? {}, identities: sortIdentities(identities), metadata }
    const account: Account = { id: makeTimeOrderedId(now.getTime()), ...given, ...made }
    await requireToGive(context, actor, { before: null, after: account })
    if (await findAccountByName(sql, name)) throw nameTaken(name)
    const former = await findFormerAccounts(sql, account.identities)
    const outcome = await insertAccount(sql, { ...account, origin }, authorOf(actor))
    for (const id of former) context.announceChange({ kind: 'account', id })
    if (outcome === 'identity-taken') throw identityTaken()
    return outcome === 'done' ? accountSnapshot(account) : 'stale'
  }
  return await makeOnce(origin, { findEarlier, make })
}

async function update(
  context: OperationsContext,
  actor: Actor,
  { account: idOrName, changes }: { readonly account: string; readonly changes: UpdateAccount },
): Promise<AccountView> {
  return await retryStale(async () => {
    const before = await getAccount(context, idOrName)
    if (before.deletedAt !== null) throw conflict('The account is deleted.')
    const after = applyChanges(before, changes)
    const change = { kind: 'account', id: before.id } as const
    if (isDeepStrictEqual(after, before)) {
      // Perhaps this is asked again since the answer was lost, and with it the announcement.
      context.announceChange(change)
      return accountSnapshot(before)
    }
    if (after.tier !== before.tier) getTier(context, after.tier)
    if (after.name !== before.name) await requireFreeName(context, before, after.name)
    await requireToGive(context, actor, { before, after })
    const changed = { ...after, updatedAt: timeOfChange(before) }
    requireToUnlink(before, after)
    const former = await findFormerAccounts(context.sql, after.identities)
    const stored = updateAccount(context.sql, { before, after: changed }, authorOf(actor))
    const outcome = await announced(context, change, stored)
    for (const id of former) context.announceChange({ kind: 'account', id })
    if (outcome === 'identity-taken') throw identityTaken()
    return outcome === 'done' ? accountSnapshot(changed) : 'stale'
  })
}

/** Whoever it was that may not get in would be given a new account where an issuer's callers are. */
function requireToUnlink(before: Account, after: Account): void {
  if (before.status === 'active' && after.status === 'active') return
  const isKept = (identity: Identity) => after.identities.some(kept => isDeepStrictEqual(kept, identity))
  if (before.identities.every(isKept)) return
  throw conflict('A suspended account keeps its identities: delete the account instead.', 'identities')
}

function applyChanges(before: Account, changes: UpdateAccount): Account {
  return {
    ...before,
    name: changes.name === undefined || changes.name === before.name ? before.name : newName(changes.name),
    tier: changes.tier ?? before.tier,
    status: changes.status ?? before.status,
    limits: changes.limits === undefined ? before.limits : (changes.limits ?? {}),
    identities: changes.identities === undefined ? before.identities : sortIdentities(changes.identities),
    metadata: changes.metadata ?? before.metadata,
  }
}

async function requireFreeName({ sql }: OperationsContext, { id }: Account, name: string): Promise<void> {
  // What the preset admin key does is logged under this name, also while the database cannot be asked.
  if (id === defaultAccount.id) throw conflict('The default account keeps its name.', 'name')
  if (await findAccountByName(sql, name)) throw nameTaken(name)
}

async function remove(context: OperationsContext, actor: Actor, idOrName: string): Promise<AccountView> {
  const { sql, announceChange } = context
  const deleted = await retryStale(async () => {
    const before = await getAccountToDelete(context, idOrName)
    if (before.id === defaultAccount.id) throw conflict('The default account cannot be deleted.')
    if (before.deletedAt !== null) {
      announceChange({ kind: 'account', id: before.id })
      return before
    }
    const now = timeOfChange(before)
    const after = { ...before, status: 'suspended', identities: [], updatedAt: now, deletedAt: now } as const
    const stored = updateAccount(sql, { before, after }, authorOf(actor))
    return (await announced(context, { kind: 'account', id: before.id }, stored)) === 'done' ? after : 'stale'
  })
  // From here on nobody makes it another key. If this is interrupted, the keys are of no use all the same.
  await revokeKeysOf(sql, deleted.id, authorOf(actor))
  return accountSnapshot(deleted)
}

/** A deletion that was interrupted may be asked for again by the same name, as long as nobody else has it. */
async function getAccountToDelete(context: OperationsContext, idOrName: string): Promise<Account> {
  const account = await findAccount(context, idOrName)
  return account ?? (await findDeletedAccount(context.sql, sameName(idOrName))) ?? (await getAccount(context, idOrName))
}

/**
 * Refuses to give an account more than the caller has. What it had before is not the caller's gift, unless it could not be
 * used, being suspended, or not by those whose tokens are to speak for it from now on.
 */
async function requireToGive(
  context: OperationsContext,
  actor: Actor,
  { before, after }: { before: Account | null; after: Account },
): Promise<void> {
  const isKnown = (subject: Account['identities'][number]) =>
    before?.identities.some(known => isDeepStrictEqual(known, subject)) === true
  const isOpened = before?.status === 'suspended' && after.status === 'active'
  const had = before === null || isOpened || !after.identities.every(isKnown) ? null : before
  const powerOf = ({ tier, limits }: Account) => powerOfAccount(findTier(context.tiers(), tier), limits)
  const lack = findLack(await authorityOf(context, actor), powerOf(after), had && powerOf(had))
  // What an account may do is its tier's to say.
  refuseLack(lack && (lack.param.startsWith('limits.') ? lack : { ...lack, param: 'tier' }))
}
