import { isDeepStrictEqual } from 'node:util'
import type { CreatedKeyView, CreateKey, KeyView, ListKeys, RotateKey, UpdateKey } from '../schemas/admin/keys.ts'
import type { Page } from '../schemas/admin/list.ts'
import { retryStale, timeOfChange } from '../store/change-outcome.ts'
import { type KeyPosition, listKeys, type StoredKey } from '../store/key-listing.ts'
import { revokeKey, updateKey } from '../store/keys.ts'
import { type Actor, authorOf } from './actor.ts'
import { announced, conflict, findAccount, type OperationsContext } from './context.ts'
import type { Creation, CreationRequest } from './creation.ts'
import { createKey, rotateKey } from './key-creation.ts'
import { getKey, parseEnd } from './key-fields.ts'
import { getTierOfAccount, requireToGive, requireWithinTier } from './key-grants.ts'
import { keyView } from './key-view.ts'
import { newName } from './names.ts'
import { readPage } from './page.ts'

export interface KeyOperations {
  getKey(input: { readonly id: string }): Promise<KeyView>
  listKeys(input: ListKeys): Promise<Page<KeyView>>
  createKey(actor: Actor, request: CreationRequest<CreateKey>): Promise<Creation<CreatedKeyView, KeyView>>
  updateKey(actor: Actor, input: { readonly id: string; readonly changes: UpdateKey }): Promise<KeyView>
  /** A new key in place of this one; for the grace period both work. */
  rotateKey(
    actor: Actor,
    request: CreationRequest<RotateKey> & { readonly id: string },
  ): Promise<Creation<CreatedKeyView, KeyView>>
  /** Ends a key for good. May be repeated: the first time counts. */
  revokeKey(actor: Actor, input: { readonly id: string }): Promise<KeyView>
}

export function buildKeyOperations(context: OperationsContext): KeyOperations {
  const { sql, announceChange } = context
  return {
    getKey: async ({ id }) => keyView(await getKey(context, id)),
    listKeys: input => list(context, input),
    createKey: (actor, request) => createKey(context, actor, request),
    updateKey: (actor, input) => update(context, actor, input),
    rotateKey: (actor, request) => rotateKey(context, actor, request),
    revokeKey: async (actor, { id }) => {
      const { publicId } = await getKey(context, id)
      try {
        await revokeKey(sql, publicId, authorOf(actor))
      } finally {
        // Also where nobody knows whether it was revoked.
        announceChange({ kind: 'key', id })
      }
      return keyView(await getKey(context, id))
    },
  }
}

async function list(context: OperationsContext, input: ListKeys): Promise<Page<KeyView>> {
  const { account, status = null, ...page } = input
  const owner = account === undefined ? null : await findAccount(context, account)
  // Of an account that is not there there are none; a cursor is checked all the same.
  const isNobody = account !== undefined && owner === null
  const filter = { accountId: owner?.id ?? null, status }
  return await readPage(page, {
    read: async (limit, before: KeyPosition | null) =>
      isNobody ? [] : await listKeys(context.sql, filter, { limit, before }),
    positionOf: ({ createdAt, publicId }) => `${createdAt.getTime()}.${publicId}`,
    parsePosition,
    view: keyView,
  })
}

function parsePosition(text: string): KeyPosition | undefined {
  // Twelve digits and thirteen are the times from 1973 to 2286.
  const [, time, publicId] = /^([0-9]{12,13})\.([0-9A-Za-z]{16})$/.exec(text) ?? []
  if (time === undefined || publicId === undefined) return undefined
  return { createdAt: new Date(Number(time)), publicId }
}

async function update(
  context: OperationsContext,
  actor: Actor,
  { id, changes }: { readonly id: string; readonly changes: UpdateKey },
): Promise<KeyView> {
  return await retryStale(async () => {
    const before = await getKey(context, id)
    if (before.revokedAt !== null) throw conflict('The key is revoked: make a new one.')
    const after = applyChanges(before, changes)
    const change = { kind: 'key', id } as const
    if (isDeepStrictEqual(after, before)) {
      // Perhaps this is asked again since the answer was lost, and with it the announcement.
      context.announceChange(change)
      return keyView(before)
    }
    const tier = getTierOfAccount(context, before.tier)
    requireWithinTier(before.tier, tier, changes)
    const isLonger = endsLater(after, before)
    if (isLonger && before.replacedBy !== null) throw replaced(before.replacedBy)
    await requireToGive(context, actor, { tier, wanted: after, had: isLonger ? null : before })
    const changed = { ...after, updatedAt: timeOfChange(before) }
    const outcome = announced(context, change, updateKey(context.sql, { before, after: changed }, authorOf(actor)))
    return (await outcome) === 'done' ? keyView(changed) : 'stale'
  })
}

/** A rotation would be undone. */
const replaced = (by: string) => conflict(`The key has been replaced by ${by}: it can only end earlier.`, 'expires_at')

function applyChanges(before: StoredKey, changes: UpdateKey): StoredKey {
  const { name, scopes, models, limits, semantic_cache, metadata, expires_at } = changes
  const isSameEnd = expires_at === undefined || expires_at === (before.expiresAt?.toISOString() ?? null)
  return {
    ...before,
    name: name === undefined || name === before.name ? before.name : newName(name),
    scopes: scopes === undefined ? before.scopes : scopes,
    models: models === undefined ? before.models : models,
    limits: limits === undefined ? before.limits : (limits ?? {}),
    semanticCache: semantic_cache ?? before.semanticCache,
    metadata: metadata ?? before.metadata,
    expiresAt: isSameEnd ? before.expiresAt : parseEnd(expires_at),
  }
}

/** Time that a key would not have had is given anew, with all that it may do. */
function endsLater(after: StoredKey, before: StoredKey): boolean {
  const endOf = ({ expiresAt }: StoredKey) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
  return endOf(after) > endOf(before)
}
