/** What the claims of a token say, strictly. A claim that is there and not what it should be refuses the whole token. */
import type { ScopeName } from '../schemas/config/tiers.ts'
import type { JsonObject } from './jwt.ts'

const maxSubjectLength = 256
/** The last moment that a Date can hold. */
const maxTimeMs = 8.64e15

/** What a token of an issuer has to fit; all but the names of tiers is the issuer's own configuration. */
export interface ClaimRules {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly claims: {
    readonly account: string
    readonly tier?: string
    readonly scopes?: string
  }
  /** By value of the claim; when empty, the value is the name of the tier. */
  readonly tiers: Readonly<Record<string, string>>
  /** The most it may do. */
  readonly scopes: readonly ScopeName[]
  /** By value of the claim; when empty, the values are names of scopes. */
  readonly scopeNames: Readonly<Record<string, readonly ScopeName[]>>
  readonly clockToleranceMs: number
  readonly tierNames: readonly string[]
}

export interface Claims {
  readonly subject: string
  /** Null where the token does not say. */
  readonly tier: string | null
  readonly scopes: readonly ScopeName[]
  readonly expiresAtMs: number
}

/** Reads the claims of an issuer's token, or answers null when one is missing, wrong, or of another time. */
export function readClaims(claims: JsonObject, rules: ClaimRules, nowMs: number): Claims | null {
  const expiresAtMs = checkRegistered(claims, rules, nowMs)
  const subject = findClaim(claims, rules.claims.account)
  const tier = readTier(claims, rules)
  const scopes = readScopes(claims, rules)
  if (expiresAtMs === null || !isSubject(subject) || tier === undefined || scopes === null) return null
  return { subject, tier, scopes, expiresAtMs }
}

/**
 * Checks the claims that RFC 7519 gives a meaning: `iss`, `aud`, `exp`, `nbf`, `iat`. Answers when the token ends, in ms
 * since 1970, or null where it is not to be believed. `exp` has no tolerance: nobody has to be believed for longer than
 * was said, and clocks that are ahead are what tolerance is for.
 */
export function checkRegistered(
  claims: JsonObject,
  { issuer, audience, clockToleranceMs }: Pick<ClaimRules, 'issuer' | 'audience' | 'clockToleranceMs'>,
  nowMs: number,
): number | null {
  const { iss, aud, exp, nbf = 0, iat = 0 } = claims
  if (iss !== issuer || !hasAudience(aud, audience)) return null
  if (!isTime(exp) || !isTime(nbf) || !isTime(iat)) return null
  const latestMs = nowMs + clockToleranceMs
  return exp * 1000 > nowMs && nbf * 1000 <= latestMs && iat * 1000 <= latestMs ? exp * 1000 : null
}

/** Text with spaces, or a list of texts; null for anything else. */
function splitScopes(value: unknown): readonly string[] | null {
  if (typeof value === 'string') return value.split(' ')
  return isTexts(value) ? value : null
}

function hasAudience(aud: unknown, allowed: readonly string[]): boolean {
  const named = typeof aud === 'string' ? [aud] : aud
  return isTexts(named) && named.some(name => allowed.includes(name))
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

/** Seconds since 1970, with decimals if need be. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value * 1000) <= maxTimeMs
}

/** Text alone, since a number would be the same account as its digits; nothing that a log or PostgreSQL cannot hold. */
function isSubject(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= maxSubjectLength &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  )
}

/** The tier that the token gives, null where it gives none, undefined where what it says is no tier. */
function readTier(claims: JsonObject, { claims: names, tiers, tierNames }: ClaimRules): string | null | undefined {
  const value = names.tier === undefined ? undefined : findClaim(claims, names.tier)
  if (value === undefined) return null
  if (typeof value !== 'string') return undefined
  if (Object.keys(tiers).length > 0) return Object.hasOwn(tiers, value) ? tiers[value] : undefined
  return tierNames.includes(value) ? value : undefined
}

/** In the order of `rules.scopes`, and never more than these; null where the claim is neither text nor a list of texts. */
function readScopes(claims: JsonObject, rules: ClaimRules): readonly ScopeName[] | null {
  const { claims: names, scopes, scopeNames: mapped } = rules
  if (names.scopes === undefined) return scopes
  const value = findClaim(claims, names.scopes)
  if (value === undefined) return []
  const values = splitScopes(value)
  if (values === null) return null
  const isMapped = Object.keys(mapped).length > 0
  const allowed = new Set(
    values.flatMap<string>(name => (isMapped ? (Object.hasOwn(mapped, name) ? (mapped[name] ?? []) : []) : [name])),
  )
  return scopes.filter(scope => allowed.has(scope))
}

/**
 * The value of a claim by its name in the configuration. The name as it stands comes first, since names that are URLs
 * have dots as well; else the dots lead into objects. Only what the token itself has counts, nothing inherited.
 */
function findClaim(claims: JsonObject, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined
    value = (value as JsonObject)[step]
  }
  return value
}
