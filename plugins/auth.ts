import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { type ApiKeyIdentity, isSameDigest, type Peppers, parseApiKey } from '../src/domain/api-key.ts'
import type { Change } from '../src/domain/change.ts'
import { findCredential } from '../src/domain/credential.ts'
import { narrowGrant } from '../src/domain/key-grant.ts'
import type { Principal } from '../src/domain/principal.ts'
import { loadPeppers } from '../src/embedded/pepper.ts'
import { WeirError } from '../src/errors.ts'
import { type ScopeName, scopeNames } from '../src/schemas/config/tiers.ts'
import { defaultAccount } from '../src/store/accounts.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'
import { KeyCache, type KeyVerdict } from '../src/store/key-cache.ts'
import { findKey, type KeyRecord } from '../src/store/keys.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** An onRequest hook: sets request.principal, or answers 401, or 503 while keys cannot be checked. */
    readonly authenticate: onRequestHookHandler
    /** An onRequest hook for after authenticate: 403 unless the principal has the scope. */
    readonly requireScope: (scope: ScopeName) => onRequestHookHandler
    /** What the digests of API keys are keyed with. */
    readonly peppers: Peppers
    /** Says that a key or an account has been changed: nobody believes any longer what they remember of it. */
    readonly announceChange: (change: Change) => void
  }
  interface FastifyRequest {
    /** Who is calling; null before authenticate has run. Where it must be there, see getPrincipal. */
    principal: Principal | null
  }
}

interface AuthOptions {
  readonly config: Pick<Config, 'auth' | 'stores' | 'tiers'>
}

const lookupTimeoutMs = 1000
const retryAfterMs = 2000
const minAdminKeyLength = 32

const missingKey =
  'No API key was sent. Send one as "Authorization: Bearer <key>" (in an OpenAI SDK: its api_key), "x-api-key" or "api-key".'
/** One text for every key that is not let in: which of the reasons it was is nobody's business. */
const invalidKey = 'The API key is not valid.'
const cannotCheck = 'API keys cannot be checked at the moment. Try again shortly.'

const refused: KeyVerdict = { principal: null, expiresAtMs: Number.POSITIVE_INFINITY }

/** The principal of a request behind authenticate. Throws when there is none, which is a mistake in the route. */
export function getPrincipal(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error(`${request.routeOptions.url ?? 'this route'} runs without app.authenticate`)
  return request.principal
}

type DigestTest = (digest: string) => boolean

/** Whether a presented key is the preset one, by digest, since it may be of any length. */
function adminKeyTest(adminKey: string | undefined): DigestTest {
  if (adminKey === undefined) return () => false
  if (adminKey.length < minAdminKeyLength)
    throw new Error(`WEIR_ADMIN_KEY needs at least ${minAdminKeyLength} characters`)
  const expected = Buffer.from(hash('sha256', adminKey))
  return digest => timingSafeEqual(Buffer.from(digest), expected)
}

const adminPrincipal = Object.freeze<Principal>({
  accountId: defaultAccount.id,
  accountName: defaultAccount.name,
  credential: 'admin-key',
  keyId: null,
  identity: null,
  tier: defaultAccount.tier,
  scopes: new Set(scopeNames),
  models: ['*'],
})

function judge(record: KeyRecord | null, digest: Buffer, tiers: Config['tiers']): KeyVerdict {
  // Compared also where there is no record, so that an unknown key takes as long as a revoked one.
  const isSame = isSameDigest(record?.digest ?? digest, digest)
  if (!record || !isSame || record.revokedAt || record.accountStatus !== 'active') return refused
  const principal = Object.freeze<Principal>({
    accountId: record.accountId,
    accountName: record.accountName,
    credential: 'key',
    keyId: record.publicId,
    identity: null,
    tier: record.tier,
    ...narrowGrant(tiers[record.tier], record),
  })
  return { principal, expiresAtMs: record.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY }
}

/** Finds out what a key stands for. Rejects with DatabaseUnavailableError or the database's own error. */
function keyLoader(app: FastifyInstance, tiers: Config['tiers']): (identity: ApiKeyIdentity) => Promise<KeyVerdict> {
  return async ({ publicId, digest }) => {
    if (app.database.state !== 'ready') throw new DatabaseUnavailableError(`the database is ${app.database.state}`)
    try {
      return judge(await findKey(app.sql, publicId, lookupTimeoutMs), digest, tiers)
    } catch (error) {
      app.database.reportFailure(error)
      throw error
    }
  }
}

/** The path of a known key is one hash and one look-up, and nothing to wait for. */
function buildAuthenticate(app: FastifyInstance, cache: KeyCache, isAdminKey: DigestTest): onRequestHookHandler {
  function settle(request: FastifyRequest, principal: Principal | null, done: HookHandlerDoneFunction): void {
    if (principal) {
      request.principal = principal
      done()
    } else {
      done(new WeirError('invalidApiKey', invalidKey))
    }
  }
  return function authenticate(request, _reply, done) {
    const credential = findCredential(request.raw)
    if (credential.kind !== 'presented') {
      const isMissing = credential.kind === 'none'
      done(new WeirError('invalidApiKey', isMissing ? missingKey : invalidKey))
      return
    }
    const digest = hash('sha256', credential.secret)
    const known = cache.peek(digest, Date.now())
    if (known !== undefined) {
      settle(request, known, done)
      return
    }
    if (isAdminKey(digest)) {
      settle(request, adminPrincipal, done)
      return
    }
    const identity = parseApiKey(app.peppers, credential.secret)
    if (!identity) {
      settle(request, null, done)
      return
    }
    cache.resolve(digest, identity).then(
      found => settle(request, found, done),
      cause => done(new WeirError('authUnavailable', cannotCheck, { retryAfterMs, cause })),
    )
  }
}

function requireScope(scope: ScopeName): onRequestHookHandler {
  return (request, _reply, done) => {
    if (getPrincipal(request).scopes.has(scope)) return done()
    done(
      new WeirError(
        'insufficientPermissions',
        `This key does not have the scope "${scope}", which this request needs.`,
      ),
    )
  }
}

/**
 * Throws at boot when the pepper is missing or too short, or the admin key is too short.
 */
export default fp<AuthOptions>(
  async (app, { config }) => {
    const { auth, tiers } = config
    app.decorate('peppers', loadPeppers(config))
    const cache = new KeyCache({ ttlMs: auth.keyCacheTtlMs, load: keyLoader(app, tiers) })
    app.decorateRequest('principal', null)
    app.decorate('authenticate', buildAuthenticate(app, cache, adminKeyTest(auth.adminKey)))
    app.decorate('requireScope', requireScope)
    app.decorate('announceChange', ({ kind, id }: Change) => (kind === 'key' ? cache.forget(id) : undefined))
  },
  { name: 'auth', fastify: '5.x', dependencies: ['postgres'] },
)
