import type { ScopeName } from '../schemas/config/tiers.ts'
import type { LimitSet } from './limit.ts'

/** `admin-key` is the preset one, `token` one of our own for a key, `jwt` one of a configured issuer. */
export type CredentialKind = 'admin-key' | 'key' | 'token' | 'jwt'

/** Who is calling, however they proved it. Every request has exactly one. */
export interface Principal {
  readonly accountId: string
  readonly accountName: string
  readonly credential: CredentialKind
  /** The public id of the API key, also of the one that a token of ours was made for; null where there is none. */
  readonly keyId: string | null
  /** Who an issuer's token speaks for; null for all other credentials. */
  readonly identity: { readonly issuer: string; readonly subject: string } | null
  readonly tier: string
  readonly scopes: ReadonlySet<ScopeName>
  /** Model names or globs; `*` allows all. */
  readonly models: readonly string[]
  /** Whether it may be answered what was answered to a question that means the same: its key says so. */
  readonly semanticCache: boolean
  /** The same object for whatever proves the same key, as long as what the database says of it is believed. */
  readonly limits: LimitSet
  /** When what it was proved by ends by itself, or null where that does not. */
  readonly expiresAtMs: number | null
}
