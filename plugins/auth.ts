import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { Authenticator } from '../src/auth/authenticator.ts'
import { Callers } from '../src/auth/callers.ts'
import type { Config } from '../src/config.ts'
import type { Peppers } from '../src/domain/api-key.ts'
import { findCredential } from '../src/domain/credential.ts'
import type { Principal } from '../src/domain/principal.ts'
import { adviseScope } from '../src/domain/tier-advice.ts'
import { WeirError } from '../src/errors.ts'
import type { ScopeName } from '../src/schemas/config/tiers.ts'
import { findIdentity, findKey, findOrProvision } from '../src/store/callers.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'
import { LastUsed } from '../src/store/last-used.ts'
import { getConfiguration } from './configuration.ts'
import { tracedStep } from './traces.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** An onRequest hook: sets request.principal and request.configuration, or answers 401, or 503 while credentials cannot be checked. */
    readonly authenticate: onRequestHookHandler
    /** An onRequest hook for after authenticate: 403 unless the principal has the scope. */
    readonly requireScope: (scope: ScopeName) => onRequestHookHandler
    /** What the digests of API keys are keyed with. */
    readonly peppers: Peppers
  }
  interface FastifyRequest {
    /** Who is calling; null before authenticate has run. Where it must be there, see getPrincipal. */
    principal: Principal | null
  }
}

interface AuthOptions {
  readonly config: Pick<Config, 'auth'>
  readonly peppers: Peppers
}

const lookupTimeoutMs = 1000
const retryAfterMs = 2000
const lastUsedIntervalMs = 10_000

const missingKey =
  'No API key was sent. Send one as "Authorization: Bearer <key>" (in an OpenAI SDK: its api_key), "x-api-key" or "api-key".'
/** One text for every credential that is not let in: which of the reasons it was is nobody's business. */
const invalidKey = 'The API key or token is not valid.'
const cannotCheck = 'API keys cannot be checked at the moment. Try again shortly.'

/** The principal of a request behind authenticate. Throws when there is none, which is a mistake in the route. */
export function getPrincipal(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error(`${request.routeOptions.url ?? 'this route'} runs without app.authenticate`)
  return request.principal
}

/** The look-ups, each with an end to its wait and none while the database is known to be away. */
function buildCallers(app: FastifyInstance, { auth }: AuthOptions['config']): Callers {
  async function ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    if (app.database.state !== 'ready') throw new DatabaseUnavailableError(`the database is ${app.database.state}`)
    try {
      return await question()
    } catch (error) {
      app.database.reportFailure(error)
      throw error
    }
  }
  const provisionTiers = new Map(
    Object.values(auth.issuers).flatMap(({ issuer, provision, defaultTier }) =>
      provision ? [[issuer, defaultTier] as const] : [],
    ),
  )
  const callers = new Callers({
    ttlMs: auth.keyCacheTtlMs,
    tiers: () => app.configuration.current.tiers,
    findKey: publicId => ask(() => findKey(app.sql, publicId, lookupTimeoutMs)),
    findIdentity: (identity, requestId) => {
      const tier = provisionTiers.get(identity.issuer)
      return ask(() =>
        tier === undefined
          ? findIdentity(app.sql, identity, lookupTimeoutMs)
          : findOrProvision(app.sql, identity, { tier, requestId, timeoutMs: lookupTimeoutMs }),
      )
    },
  })
  app.onChange({ changed: change => callers.forget(change), missed: () => callers.doubtAll() })
  return callers
}

/** A known caller costs one hash and two look-ups, and waits for nothing. */
function buildAuthenticate(
  app: FastifyInstance,
  authenticator: Authenticator,
  lastUsed: LastUsed,
): onRequestHookHandler {
  function settle(request: FastifyRequest, principal: Principal | null, done: HookHandlerDoneFunction): void {
    request.server.meters.observeAuthentication(principal === null ? 'invalid' : 'ok')
    if (principal === null) {
      done(new WeirError('invalidApiKey', invalidKey))
      return
    }
    request.principal = principal
    // In the same turn, so that both are of one configuration: the principal's scopes and limits are of its tiers.
    request.configuration = app.configuration.current
    if (principal.keyId !== null) lastUsed.note(principal.keyId, Date.now())
    done()
  }
  return function authenticate(request, _reply, next) {
    const done = tracedStep(request, 'authenticate', next)
    const credential = findCredential(request.raw)
    if (credential.kind !== 'presented') {
      request.server.meters.observeAuthentication(credential.kind === 'none' ? 'missing' : 'invalid')
      done(new WeirError('invalidApiKey', credential.kind === 'none' ? missingKey : invalidKey))
      return
    }
    const verdict = authenticator.identify(credential.secret, request.id)
    if (!(verdict instanceof Promise)) {
      settle(request, verdict, done)
      return
    }
    verdict.then(
      principal => settle(request, principal, done),
      cause => {
        const known = cause instanceof WeirError
        request.server.meters.observeAuthentication(
          known && cause.kind !== 'authUnavailable' ? 'invalid' : 'unavailable',
        )
        done(known ? cause : new WeirError('authUnavailable', cannotCheck, { retryAfterMs, cause }))
      },
    )
  }
}

/** Throws at boot when the admin key is too short. */
export default fp<AuthOptions>(
  async (app, { config, peppers }) => {
    const { auth } = config
    const isReachable = () => app.database.state === 'ready'
    const lastUsed = new LastUsed({ sql: app.sql, log: app.log, intervalMs: lastUsedIntervalMs, isReachable })
    const authenticator = new Authenticator({
      callers: buildCallers(app, config),
      peppers,
      adminKey: auth.adminKey,
      verifyToken: text => app.tokens.verify(text),
    })
    app.decorate('peppers', peppers)
    app.decorateRequest('principal', null)
    app.decorate('authenticate', buildAuthenticate(app, authenticator, lastUsed))
    app.decorate('requireScope', scope => (request, _reply, done) => {
      const principal = getPrincipal(request)
      if (principal.scopes.has(scope)) done()
      else {
        const { tiers } = getConfiguration(request)
        done(new WeirError('insufficientPermissions', adviseScope(scope, principal, tiers)))
      }
    })
    // Before the database closes, since this plugin was registered after it.
    app.addHook('onClose', () => lastUsed.stop())
  },
  { name: 'auth', fastify: '5.x', dependencies: ['configuration', 'metrics', 'postgres', 'changes', 'jwt'] },
)
