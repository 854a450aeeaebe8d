/** What the database says of those who call, and what principal that makes of a proof. */
import type { KeyLimits, Limits } from '../schemas/admin/limits.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import { isSameDigest } from './api-key.ts'
import { narrowGrant, type TierGrant } from './key-grant.ts'
import type { LimitSet } from './limit.ts'
import { buildLimitSet } from './limit-set.ts'
import type { CredentialKind, Principal } from './principal.ts'
import type { IdentityProof, KeyProof, Proof, TokenProof } from './proof.ts'
import type { TierLimits } from './tier-limits.ts'

export interface AccountStanding {
  readonly accountId: string
  readonly accountName: string
  readonly accountStatus: 'active' | 'suspended'
  readonly tier: string
  /** What differs from the limits of the tier. */
  readonly accountLimits: Limits
}

/** A stored key with what its account says. */
export interface KeyStanding extends AccountStanding {
  readonly publicId: string
  readonly digest: Uint8Array
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
  /** Of its own, beside the account's. */
  readonly keyLimits: KeyLimits
  /** Whether it may be answered what was answered to a question that means the same. */
  readonly semanticCache: boolean
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

export type TierGrants = Readonly<Record<string, TierGrant>>
export type Tiers = Readonly<Record<string, TierGrant & TierLimits>>

/** When a proof ends by itself, in milliseconds; Infinity when it does not. */
export function endOf(proof: Proof): number {
  return proof.kind === 'key' ? Number.POSITIVE_INFINITY : proof.expiresAtMs
}

/** Whether a key may be used now. */
export function isUsable(key: KeyStanding, nowMs: number): boolean {
  return key.revokedAt === null && key.accountStatus === 'active' && nowMs < (key.expiresAt?.getTime() ?? Infinity)
}

/** The tier that holds for a proof: one that an issuer's token gives counts in place of the account's own. */
export const tierOf = (proof: Proof, { tier }: AccountStanding): string =>
  proof.kind === 'identity' ? (proof.tier ?? tier) : tier

/** The limits of a key, or of an account where it is an issuer's token that calls, in this tier. */
export function limitsIn(tier: string, standing: AccountStanding | KeyStanding, tiers: Tiers): LimitSet {
  const { accountId, accountLimits } = standing
  const key = 'publicId' in standing ? standing : null
  return buildLimitSet({
    accountId,
    keyId: key?.publicId ?? null,
    tier,
    tierLimits: tiers[tier],
    accountLimits,
    keyLimits: key?.keyLimits ?? {},
  })
}

/** What the configuration says of tiers, and the limits that come of it and of the standing; see limitsIn. */
export interface Terms {
  readonly tiers: TierGrants
  readonly limits: LimitSet
}

/** Who a key or a token of ours stands for, or null where the digest is another's. Whether it has ended is not asked here. */
export function principalOfKey(
  proof: KeyProof | TokenProof,
  key: KeyStanding,
  { tiers, limits }: Terms,
): Principal | null {
  if (proof.kind === 'key' && !isSameDigest(key.digest, proof.digest)) return null
  const { scopes, models } = narrowGrant(tiers[key.tier], key)
  return Object.freeze<Principal>({
    ...callerOf(key, proof.kind),
    keyId: key.publicId,
    identity: null,
    tier: key.tier,
    scopes: proof.kind === 'key' ? scopes : new Set(proof.scopes.filter(scope => scopes.has(scope))),
    models,
    semanticCache: key.semanticCache,
    limits,
    expiresAtMs: finite(Math.min(endOf(proof), key.expiresAt?.getTime() ?? Infinity)),
  })
}

/**
 * Who an issuer's token stands for. The scope `admin` is the issuer's to give where its configuration lists it, as it is a
 * key's (see narrowGrant).
 */
export function principalOfIdentity(
  proof: IdentityProof,
  account: AccountStanding,
  { tiers, limits }: Terms,
): Principal {
  const tier = tierOf(proof, account)
  return Object.freeze<Principal>({
    ...callerOf(account, 'jwt'),
    keyId: null,
    identity: { issuer: proof.issuer, subject: proof.subject },
    tier,
    ...narrowGrant(tiers[tier], { scopes: proof.scopes, models: null }),
    semanticCache: false,
    limits,
    expiresAtMs: proof.expiresAtMs,
  })
}

const finite = (timeMs: number): number | null => (timeMs === Infinity ? null : timeMs)

const callerOf = ({ accountId, accountName }: AccountStanding, credential: CredentialKind) => ({
  accountId,
  accountName,
  credential,
})
