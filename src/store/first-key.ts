/** Whoever starts Weir must be able to use it: the key of the first start, or the refusal to start without any. */
import type { Sql } from 'postgres'
import { makeApiKey, type NewApiKey, type Peppers } from '../domain/api-key.ts'
import { scopeNames } from '../schemas/config/tiers.ts'
import { defaultAccount } from './accounts.ts'
import { findKey } from './callers.ts'
import type { DatabaseContact } from './contact.ts'
import { afterFirstContact } from './first-contact.ts'
import { hasUsableKey, insertKey } from './keys.ts'

export type FirstKey =
  /** The admin key comes from the configuration. */
  | { readonly kind: 'preset' }
  /** There is a key that works already. */
  | { readonly kind: 'present' }
  /** One was made; this is the only time that it can be shown. */
  | { readonly kind: 'made'; readonly key: string }

/** Nobody could ever authenticate, and making a key by itself is not for a server that others can reach. */
export class NoKeyError extends Error {
  constructor() {
    super(
      'There is no API key yet and none is configured, and this server listens where others can reach it, so it does ' +
        'not make one by itself. Set WEIR_ADMIN_KEY to a secret of at least 32 characters (openssl rand -base64 32), ' +
        'or make a key first: npx weir keys create --account default --scopes admin,chat,completions,embeddings,models,usage',
    )
    this.name = 'NoKeyError'
  }
}

export interface FirstKeyOptions {
  readonly sql: Sql
  readonly database: Pick<DatabaseContact, 'firstContact' | 'reportFailure'>
  readonly peppers: Peppers
  /** Whether only this machine can reach the server. */
  readonly isLoopback: boolean
  readonly hasAdminKey: boolean
}

/**
 * Finds out whether there is a usable key, and makes one where that is right. Waits for the database, however long that
 * takes. Rejects with NoKeyError when the server must not run, and with the database's own error when it answers with one
 * or is closed.
 */
export async function ensureFirstKey(options: FirstKeyOptions): Promise<FirstKey> {
  if (options.hasAdminKey) return { kind: 'preset' }
  // Made once: an insert whose answer was lost may have been done, and is then repeated with the same id.
  const fresh = makeApiKey(options.peppers)
  return await afterFirstContact(options.database, () => makeUnlessUsable(options, fresh))
}

async function makeUnlessUsable({ sql, isLoopback }: FirstKeyOptions, fresh: NewApiKey): Promise<FirstKey> {
  const made: FirstKey = { kind: 'made', key: fresh.key }
  if (await hasUsableKey(sql)) return (await findKey(sql, fresh.publicId)) ? made : { kind: 'present' }
  if (!isLoopback) throw new NoKeyError()
  const { publicId, pepperVersion, digest } = fresh
  const identity = { publicId, pepperVersion, digest, accountId: defaultAccount.id, name: 'admin' }
  await insertKey(sql, { ...identity, scopes: scopeNames, models: ['*'], createdAt: new Date(), expiresAt: null })
  return made
}
