/** What may be given to a key: nothing that its tier does not have, and nothing that the caller does not have. */
import { findLack } from '../domain/authority.ts'
import { coversPattern, type KeyLimits } from '../domain/key-grant.ts'
import type { KeyFields as KeyRequest } from '../schemas/admin/keys.ts'
import type { Actor } from './actor.ts'
import { conflict, findTier, invalid, type OperationsContext, refuseLack } from './context.ts'
import { parseEnd } from './key-fields.ts'
import { newName } from './names.ts'
import { authorityOf, type KeyFields, powerOfKey } from './powers.ts'
import type { Tier } from './tier-views.ts'

/** What an account that exists may have. */
export function getTierOfAccount({ tiers }: OperationsContext, name: string): Tier {
  const tier = findTier(tiers(), name)
  if (tier !== undefined) return tier
  throw conflict(`The account's tier "${name}" is not in the configuration.`, 'account')
}

/** A key can only be narrower than its tier; what it could never use is refused here rather than silently ignored. */
export function requireWithinTier(tierName: string, tier: Tier, { scopes, models }: Partial<KeyLimits>): void {
  for (const scope of scopes ?? []) {
    if (scope === 'admin' || tier.scopes.includes(scope)) continue
    const has = `It has: ${tier.scopes.join(', ')}.`
    throw invalid('scopes', `The tier ${tierName} does not have the scope "${scope}". ${has}`)
  }
  for (const model of models ?? []) {
    if (tier.models.some(pattern => coversPattern(pattern, model))) continue
    throw invalid('models', `The tier ${tierName} may not use "${model}". It may use: ${tier.models.join(', ')}.`)
  }
}

/** Of a key that is to be made, all that can be checked before its account is there. */
export function requireKeyFields(tierName: string, tier: Tier, { name, expires_at, ...grant }: KeyRequest): void {
  requireWithinTier(tierName, tier, grant)
  if (name !== undefined) newName(name)
  if (expires_at !== undefined) parseEnd(expires_at)
}

interface Giving {
  readonly tier: Tier
  readonly wanted: KeyFields
  /** What it had before, where that was of use; null where all of it is given anew. */
  readonly had: KeyFields | null
}

/** Null scopes and models are all of the tier's, so to give them takes a caller that has all of those. */
export async function requireToGive(
  context: OperationsContext,
  actor: Actor,
  { tier, wanted, had }: Giving,
): Promise<void> {
  const before = had === null ? null : powerOfKey(tier, had)
  const lack = findLack(await authorityOf(context, actor), powerOfKey(tier, wanted), before)
  refuseLack(lack?.param === 'tier' ? { ...lack, param: 'account' } : lack)
}
