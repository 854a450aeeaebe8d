/** What the database says of those who call, and what principal that makes of a proof. */
import type { ScopeName } from '../schemas/config/tiers.ts'
import { isSameDigest } from './api-key.ts'
import { narrowGrant, type TierGrant } from './key-grant.ts'
import type { CredentialKind, Principal } from './principal.ts'
import type { IdentityProof, KeyProof, Proof, TokenProof } from './proof.ts'

export interface AccountStanding {
  readonly accountId: string
  readonly accountName: string
  readonly accountStatus: 'active' | 'suspended'
  readonly tier: string
}

/** A stored key with what its account says. */
export interface KeyStanding extends AccountStanding {
  readonly publicId: string
  readonly digest: Uint8Array
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

export type TierGrants = Readonly<Record<string, TierGrant>>

/** When a proof ends by itself, in milliseconds; Infinity when it does not. */
export function endOf(proof: Proof): number {
  return proof.kind === 'key' ? Number.POSITIVE_INFINITY : proof.expiresAtMs
}

/** Whether a key may be used now. */
export function isUsable(key: KeyStanding, nowMs: number): boolean {
  return key.revokedAt === null && key.accountStatus === 'active' && nowMs < (key.expiresAt?.getTime() ?? Infinity)
}

/** Who a key or a token of ours stands for, or null where the digest is another's. Whether it has ended is not asked here. */
export function principalOfKey(proof: KeyProof | TokenProof, key: KeyStanding, tiers: TierGrants): Principal | null {
  if (proof.kind === 'key' && !isSameDigest(key.digest, proof.digest)) return null
  const { scopes, models } = narrowGrant(tiers[key.tier], key)
  return Object.freeze<Principal>({
    ...callerOf(key, proof.kind),
    keyId: key.publicId,
    identity: null,
    tier: key.tier,
    scopes: proof.kind === 'key' ? scopes : new Set(proof.scopes.filter(scope => scopes.has(scope))),
    models,
    expiresAtMs: finite(Math.min(endOf(proof), key.expiresAt?.getTime() ?? Infinity)),
  })
}

/**
 * Who an issuer's token stands for. A tier that the token gives counts in place of the account's own; the scope `admin`
 * is the issuer's to give where its configuration lists it, as it is a key's (see narrowGrant).
 */
export function principalOfIdentity(proof: IdentityProof, account: AccountStanding, tiers: TierGrants): Principal {
  const tier = proof.tier ?? account.tier
  return Object.freeze<Principal>({
    ...callerOf(account, 'jwt'),
    keyId: null,
    identity: { issuer: proof.issuer, subject: proof.subject },
    tier,
    ...narrowGrant(tiers[tier], { scopes: proof.scopes, models: null }),
    expiresAtMs: proof.expiresAtMs,
  })
}

const finite = (timeMs: number): number | null => (timeMs === Infinity ? null : timeMs)

const callerOf = ({ accountId, accountName }: AccountStanding, credential: CredentialKind) => ({
  accountId,
  accountName,
  credential,
})
