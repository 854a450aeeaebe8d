/** The two ways to a new key: for an account, and in place of another key. */
import { makeApiKey } from '../domain/api-key.ts'
import type { CreatedKeyView, CreateKey, KeyView, RotateKey } from '../schemas/admin/keys.ts'
import type { Account } from '../store/accounts.ts'
import { timeOfChange } from '../store/change-outcome.ts'
import { findKeyByRequest, type StoredKey, statusOfKey } from '../store/key-listing.ts'
import { insertKey, type NewKeyRow, rotateKey as storeRotatedKey } from '../store/keys.ts'
import { type Actor, authorOf } from './actor.ts'
import { announced, conflict, getAccount, type OperationsContext } from './context.ts'
import { type Creation, type CreationRequest, makeOnce, originOf } from './creation.ts'
import { getKey, parseEnd } from './key-fields.ts'
import { getTierOfAccount, requireToGive, requireWithinTier } from './key-grants.ts'
import { keyView } from './key-view.ts'
import { newName } from './names.ts'

type KeyCreation = Creation<CreatedKeyView, KeyView>

const defaultName = 'key'
const defaultGraceSeconds = 86_400

export async function createKey(
  context: OperationsContext,
  actor: Actor,
  request: CreationRequest<CreateKey>,
): Promise<KeyCreation> {
  const {
    scopes = null,
    models = null,
    limits,
    semantic_cache: semanticCache = false,
    metadata = {},
    expires_at,
  } = request.body
  const origin = originOf(actor, 'key.create', request)
  const make = async () => {
    const name = newName(request.body.name ?? defaultName)
    const account = await getAccount(context, request.body.account, 'account')
    requireActive(account.status, account.name)
    const tier = getTierOfAccount(context, account.tier)
    requireWithinTier(account.tier, tier, { scopes, models })
    const expiresAt = expires_at === undefined ? null : parseEnd(expires_at)
    const fields = {
      name,
      scopes,
      models,
      limits: limits ?? {},
      semanticCache,
      metadata,
      createdAt: new Date(),
      expiresAt,
    }
    await requireToGive(context, actor, { tier, wanted: { ...fields, accountLimits: account.limits }, had: null })
    const { row, key } = makeRow(context, { ...fields, accountId: account.id, accountVersion: account.version, origin })
    const outcome = await insertKey(context.sql, row, authorOf(actor))
    return outcome === 'done' ? { ...keyView(storedKeyOf(row, account, null)), key } : 'stale'
  }
  return await makeOnce(origin, { findEarlier: findEarlierKey(context), make })
}

export async function rotateKey(
  context: OperationsContext,
  actor: Actor,
  { id, ...request }: CreationRequest<RotateKey> & { readonly id: string },
): Promise<KeyCreation> {
  const { grace_seconds: graceSeconds = defaultGraceSeconds } = request.body
  const origin = originOf(actor, `key.rotate ${id}`, request)
  const make = async () => {
    const old = await getKey(context, id)
    const now = timeOfChange(old)
    await requireToRotate(context, actor, { old, now })
    const { accountId, accountVersion, scopes, models, limits, semanticCache, metadata, expiresAt } = old
    const name = request.body.name === undefined ? old.name : newName(request.body.name)
    const fields = { name, scopes, models, limits, semanticCache, metadata, createdAt: now, expiresAt }
    const { row, key } = makeRow(context, { ...fields, accountId, accountVersion, origin })
    const graceEnd = now.getTime() + graceSeconds * 1000
    const oldEndsAt = new Date(Math.min(graceEnd, expiresAt?.getTime() ?? graceEnd))
    const stored = storeRotatedKey(context.sql, { old, oldEndsAt, fresh: row }, authorOf(actor))
    if ((await announced(context, { kind: 'key', id }, stored)) !== 'done') return 'stale'
    const { accountName: ownerName, accountStatus: status, tier, accountLimits } = old
    const owner = { id: accountId, name: ownerName, status, tier, limits: accountLimits }
    return { ...keyView(storedKeyOf(row, owner, id)), key }
  }
  const creation = await makeOnce(origin, { findEarlier: findEarlierKey(context), make })
  // Perhaps this is asked again since the answer was lost, and with it the announcement.
  if (creation.kind === 'replayed') context.announceChange({ kind: 'key', id })
  return creation
}

/** A new secret is at least as good as the old one, so it takes a caller that has all that the key has. */
async function requireToRotate(
  context: OperationsContext,
  actor: Actor,
  { old, now }: { readonly old: StoredKey; readonly now: Date },
): Promise<void> {
  const status = statusOfKey(old, now.getTime())
  if (status !== 'active') throw conflict(`The key is ${status}: make a new one.`)
  if (old.replacedBy !== null) throw conflict(`The key has been replaced by ${old.replacedBy} already.`)
  requireActive(old.accountStatus, old.accountName)
  await requireToGive(context, actor, { tier: getTierOfAccount(context, old.tier), wanted: old, had: null })
}

function requireActive(status: Account['status'], name: string): void {
  if (status !== 'active') throw conflict(`The account "${name}" is ${status}.`, 'account')
}

const findEarlierKey =
  ({ sql }: OperationsContext) =>
  async (createdBy: string, idempotencyKey: string) => {
    const earlier = await findKeyByRequest(sql, createdBy, idempotencyKey)
    return earlier && { record: keyView(earlier.key), requestDigest: earlier.requestDigest }
  }

type RowFields = Required<Omit<NewKeyRow, 'publicId' | 'digest' | 'pepperVersion'>>
type NewRow = RowFields & NewKeyRow

function makeRow({ peppers }: OperationsContext, fields: RowFields): { readonly row: NewRow; readonly key: string } {
  const { key, ...identity } = makeApiKey(peppers)
  return { row: { ...fields, ...identity }, key }
}

function storedKeyOf(
  row: NewRow,
  account: Pick<Account, 'id' | 'name' | 'status' | 'tier' | 'limits'>,
  replaces: string | null,
): StoredKey {
  const { publicId, name, scopes, models, limits, semanticCache, metadata, createdAt, expiresAt, accountVersion } = row
  const fields = { publicId, name, scopes, models, limits, semanticCache, metadata, createdAt, expiresAt }
  const fresh = { updatedAt: createdAt, revokedAt: null, lastUsedAt: null, replaces, replacedBy: null, version: '' }
  const { id: accountId, name: accountName, status: accountStatus, tier, limits: accountLimits } = account
  return { ...fields, ...fresh, accountId, accountName, accountStatus, tier, accountLimits, accountVersion }
}
