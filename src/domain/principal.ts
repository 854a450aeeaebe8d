import type { ScopeName } from '../schemas/config/tiers.ts'

/** Who is calling, however they proved it. Every request has exactly one. */
export interface Principal {
  readonly accountId: string
  readonly accountName: string
  /** The public id of the API key; null where no stored key was used (the preset admin key). */
  readonly keyId: string | null
  readonly tier: string
  readonly scopes: ReadonlySet<ScopeName>
  /** Model names or globs; `*` allows all. */
  readonly models: readonly string[]
}
