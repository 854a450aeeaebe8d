/** What is said about API keys: over the control socket, and with --json. */
import { type ScopeName, scopeNames } from '../config/tiers.ts'
import { type Static, Type } from '../typebox.ts'

const closed = { additionalProperties: false } as const
/** No control characters: it is shown on terminals. */
const Name = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]{1,128}$' })
const Time = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z$' })
const Scopes = Type.Array(Type.Unsafe<ScopeName>(Type.Union(scopeNames.map(scope => Type.Literal(scope)))), {
  minItems: 1,
  maxItems: 16,
  uniqueItems: true,
})
const Models = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { minItems: 1, maxItems: 256 })

export const CreateKeySchema = Type.Object(
  {
    account: Name,
    /** For a new account; an existing one has to have it. */
    tier: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    name: Type.Optional(Name),
    scopes: Type.Optional(Scopes),
    models: Type.Optional(Models),
    expires_at: Type.Optional(Time),
  },
  closed,
)
export type CreateKey = Static<typeof CreateKeySchema>

export const ListKeysSchema = Type.Object({ account: Type.Optional(Name) }, closed)
export type ListKeys = Static<typeof ListKeysSchema>

export const RevokeKeySchema = Type.Object({ id: Type.String({ pattern: '^[0-9A-Za-z]{16}$' }) }, closed)
export type RevokeKey = Static<typeof RevokeKeySchema>

/** A key as it is listed; null scopes or models are all of the tier's. */
export interface KeyView {
  readonly id: string
  readonly account: string
  readonly tier: string
  readonly name: string
  readonly scopes: readonly string[] | null
  readonly models: readonly string[] | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
}

/** A new key: the only answer that holds the secret. */
export interface CreatedKey extends KeyView {
  readonly key: string
}
