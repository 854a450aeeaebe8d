/** What a key may do: its account's tier, narrowed by what the key itself says. */
import type { ScopeName } from '../schemas/config/tiers.ts'

export interface Grant {
  readonly scopes: ReadonlySet<ScopeName>
  readonly models: readonly string[]
}

export interface KeyLimits {
  /** Null takes all of the tier's. */
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
}

export interface TierGrant {
  readonly scopes: readonly ScopeName[]
  readonly models: readonly string[]
}

/**
 * Whether every name that `narrow` matches is matched by `wide`. `*` stands for any run of characters; in `narrow` it is
 * read as a plain character, which only another `*` can stand for, so the answer errs on the side of no.
 */
export function coversPattern(wide: string, narrow: string): boolean {
  const [head = '', ...rest] = wide.split('*')
  const tail = rest.pop()
  if (tail === undefined) return wide === narrow
  if (!narrow.startsWith(head)) return false
  let at = head.length
  for (const part of rest) {
    const found = narrow.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return narrow.length - at >= tail.length && narrow.endsWith(tail)
}

/** The patterns that both lists allow. Where two only overlap in part, neither is kept: a key never gains by doubt. */
export function intersectPatterns(left: readonly string[], right: readonly string[]): readonly string[] {
  const kept = left.filter(pattern => right.some(wide => coversPattern(wide, pattern)))
  const others = right.filter(pattern => left.some(wide => coversPattern(wide, pattern)))
  return [...new Set([...kept, ...others])]
}

/**
 * The scope `admin` is never a tier's to give unless its configuration lists it: a key has it when whoever made the key,
 * being an admin, wrote it there. A tier that the configuration no longer has grants nothing.
 */
export function narrowGrant(tier: TierGrant | undefined, limits: KeyLimits): Grant {
  if (!tier) return { scopes: new Set(), models: [] }
  const scopes = limits.scopes?.filter(scope => scope === 'admin' || tier.scopes.includes(scope)) ?? tier.scopes
  return {
    scopes: new Set(scopes),
    models: limits.models ? intersectPatterns(limits.models, tier.models) : tier.models,
  }
}
