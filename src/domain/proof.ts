/** What a credential proves by itself, before the database says what stands behind it. */
import type { ScopeName } from '../schemas/config/tiers.ts'

/** An API key of a shape that only this installation can have made. */
export interface KeyProof {
  readonly kind: 'key'
  readonly publicId: string
  /** What the stored digest must equal: 32 bytes. */
  readonly digest: Buffer
}

/** A token of our own, made for an API key. */
export interface TokenProof {
  readonly kind: 'token'
  readonly keyId: string
  readonly scopes: readonly ScopeName[]
  readonly expiresAtMs: number
}

/** A token of an issuer of the configuration. */
export interface IdentityProof {
  readonly kind: 'identity'
  /** The `iss` claim; with the subject it names one account. */
  readonly issuer: string
  /** The value of the claim that the configuration names for the account. */
  readonly subject: string
  /** A tier of the configuration that the token gives, or null where the account's own holds. */
  readonly tier: string | null
  /** The most it may do; the tier narrows it further. */
  readonly scopes: readonly ScopeName[]
  readonly expiresAtMs: number
  /** Whether the key that signed it is still one of its issuer's. */
  isTrusted(): boolean
}

export type Proof = KeyProof | TokenProof | IdentityProof
