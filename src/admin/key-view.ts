import type { KeyView } from '../schemas/admin/keys.ts'
import { type StoredKey, statusOfKey } from '../store/key-listing.ts'

/** A key in the words of the admin API; never its digest. */
export function keyView(key: StoredKey): KeyView {
  return {
    id: key.publicId,
    object: 'api_key',
    account: { id: key.accountId, name: key.accountName },
    tier: key.tier,
    name: key.name,
    scopes: key.scopes,
    models: key.models,
    limits: key.limits,
    semantic_cache: key.semanticCache,
    metadata: key.metadata,
    status: statusOfKey(key, Date.now()),
    created_at: key.createdAt.toISOString(),
    updated_at: key.updatedAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    replaces: key.replaces,
    replaced_by: key.replacedBy,
  }
}
