/** What accounts, keys and those who ask can really do, in one shape, so that one can be held against another. */
import { type Authority, narrowLimits, overlayLimits, type Power } from '../domain/authority.ts'
import { type KeyLimits as KeyGrant, narrowGrant } from '../domain/key-grant.ts'
import { limitsOfTier } from '../domain/tier-limits.ts'
import type { Limits } from '../schemas/admin/limits.ts'
import { findAccountById } from '../store/accounts.ts'
import { findStoredKey, type StoredKey } from '../store/key-listing.ts'
import type { Actor } from './actor.ts'
import { findTier, type OperationsContext } from './context.ts'
import { privilegesOfTier, type Tier } from './tier-views.ts'

const wholeTier: KeyGrant = { scopes: null, models: null }

/** What all keys of an account together can do, and whoever else it lets in. */
export function powerOfAccount(tier: Tier | undefined, limits: Limits): Power {
  const privileges = privilegesOfTier(tier)
  return {
    grant: narrowGrant(tier, wholeTier),
    limits: overlayLimits(limitsOfTier(tier), limits),
    // The tier's burst is one of the tier's own rate: see buildLimitSet.
    privileges: limits.requests_per_minute === undefined ? privileges : { ...privileges, burst: null },
  }
}

export type KeyFields = Pick<StoredKey, 'scopes' | 'models' | 'limits' | 'expiresAt' | 'accountLimits'>

export function powerOfKey(tier: Tier | undefined, key: KeyFields): Power {
  const account = powerOfAccount(tier, key.accountLimits)
  const { requests_per_minute: ownRate } = key.limits
  const saved = account.privileges.burst ?? account.limits.requests_per_minute ?? Number.POSITIVE_INFINITY
  return {
    ...account,
    grant: narrowGrant(tier, key),
    limits: narrowLimits(account.limits, key.limits),
    privileges:
      typeof ownRate === 'number' ? { ...account.privileges, burst: Math.min(saved, ownRate) } : account.privileges,
    endsAtMs: key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
  }
}

/**
 * What whoever asks may give. The preset admin key and commands are the operator's own, and nobody has more than the
 * operator. A key and its tokens end with the key, and the token of an issuer is as good as the next one: neither's own
 * `exp` is a bound.
 */
export async function authorityOf({ sql, tiers }: OperationsContext, actor: Actor): Promise<Authority> {
  if (actor.kind === 'command' || actor.principal.credential === 'admin-key') return { kind: 'unlimited' }
  const { accountId, keyId, scopes, models, tier: tierName } = actor.principal
  const grant = { scopes, models }
  const tier = findTier(tiers(), tierName)
  if (keyId !== null) {
    const key = await findStoredKey(sql, keyId)
    if (key !== null) return { kind: 'limited', ...powerOfKey(tier, key), grant }
  } else {
    const account = await findAccountById(sql, accountId)
    if (account !== null) return { kind: 'limited', ...powerOfAccount(tier, account.limits), grant }
  }
  // No record is ever taken away, so this is nobody.
  return { kind: 'limited', ...powerOfAccount(undefined, {}) }
}
