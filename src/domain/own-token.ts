/** Tokens of our own, which are given for an API key: how they are keyed and what they say. */
import { hkdfSync, type KeyObject } from 'node:crypto'
import { type ScopeName, scopeNames } from '../schemas/config/tiers.ts'
import type { JsonObject } from './jwt.ts'
import { checkRegistered } from './jwt-claims.ts'

/** `iss` and `aud` of our own tokens; no other issuer may have this name. */
export const ownIssuer = 'weir'

/** Between replicas. */
const clockToleranceMs = 30_000
const rules = { issuer: ownIssuer, audience: [ownIssuer], clockToleranceMs }

/** Whatever else is derived from a pepper needs another label. */
const secretLabel = 'weir:token:1'

/** The secret that tokens are signed with under a pepper: 32 bytes (HKDF-SHA256, RFC 5869). */
export function deriveTokenSecret(pepper: KeyObject): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', pepper, '', secretLabel, 32))
}

export interface OwnClaims {
  /** The public id of the API key that it was given for. */
  readonly keyId: string
  readonly accountId: string
  readonly scopes: readonly ScopeName[]
  readonly expiresAtMs: number
}

/** The claims of a new token. Its end is rounded down to a second: a token never outlives what it was given for. */
export function writeOwnClaims({ keyId, accountId, scopes, expiresAtMs }: OwnClaims, id: string): JsonObject {
  return {
    iss: ownIssuer,
    aud: ownIssuer,
    sub: accountId,
    key: keyId,
    scope: scopes.join(' '),
    exp: Math.floor(expiresAtMs / 1000),
    jti: id,
  }
}

/** Reads the claims of a token of ours, or answers null when it has run out or says what we never write. */
export function readOwnClaims(claims: JsonObject, nowMs: number): OwnClaims | null {
  const expiresAtMs = checkRegistered(claims, rules, nowMs)
  const { sub: accountId, key: keyId, scope } = claims
  if (expiresAtMs === null || typeof keyId !== 'string' || typeof accountId !== 'string') return null
  if (typeof scope !== 'string') return null
  const listed = scope.split(' ')
  return { keyId, accountId, scopes: scopeNames.filter(name => listed.includes(name)), expiresAtMs }
}
