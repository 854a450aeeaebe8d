/** The table of contents: every plugin and every scope of routes, in the order in which a request meets them. */
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import auth from '../plugins/auth.ts'
import backends from '../plugins/backends.ts'
import body from '../plugins/body.ts'
import cache from '../plugins/cache.ts'
import catalog from '../plugins/catalog.ts'
import changes from '../plugins/changes.ts'
import configReload from '../plugins/config-reload.ts'
import configuration from '../plugins/configuration.ts'
import control from '../plugins/control.ts'
import cors from '../plugins/cors.ts'
import denials from '../plugins/denials.ts'
import drain from '../plugins/drain.ts'
import engine from '../plugins/engine.ts'
import errors, { answerClientError, answerFrameworkError } from '../plugins/errors.ts'
import experiments from '../plugins/experiments.ts'
import floodGuard from '../plugins/flood-guard.ts'
import internalListener, { internalListenerStrategy } from '../plugins/internal-listener.ts'
import jwt from '../plugins/jwt.ts'
import ledger from '../plugins/ledger.ts'
import limitHeaders from '../plugins/limit-headers.ts'
import limits from '../plugins/limits.ts'
import logLevel from '../plugins/log-level.ts'
import metrics from '../plugins/metrics.ts'
import openapi from '../plugins/openapi.ts'
import permissions from '../plugins/permissions.ts'
import postgres from '../plugins/postgres.ts'
import pulse from '../plugins/pulse.ts'
import redis from '../plugins/redis.ts'
import routeScopes from '../plugins/route-scopes.ts'
import semantic from '../plugins/semantic.ts'
import stateMetrics from '../plugins/state-metrics.ts'
import traces from '../plugins/traces.ts'
import usage from '../plugins/usage.ts'
import webhooks from '../plugins/webhooks.ts'
import adminRoutes from '../routes/admin/index.ts'
import tokenRoutes from '../routes/auth/token.ts'
import docsRoutes from '../routes/docs.ts'
import healthRoutes from '../routes/health.ts'
import metricsRoutes from '../routes/metrics.ts'
import v1Routes from '../routes/v1/index.ts'
import welcomeRoutes from '../routes/welcome.ts'
import type { Config, LoadedConfig } from './config.ts'
import { newestPepper } from './domain/api-key.ts'
import { isLoopback } from './domain/loopback.ts'
import { derivePrefixSecret } from './domain/prompt-prefix.ts'
import { makeTimeOrderedId } from './domain/time-ordered-id.ts'
import { loadPeppers } from './embedded/pepper.ts'
import type { Readiness } from './readiness.ts'
import { compileSerializer } from './schemas/serializers.ts'

export interface AppOptions {
  readonly loaded: LoadedConfig
  /** Reads it again from the same places, for a reload; throws a ConfigError. */
  readonly read: () => LoadedConfig
  readonly log: FastifyBaseLogger
  readonly readiness: Readiness
  readonly version: string
}

/** The whole application, ready to listen or to be injected into. Closing it closes all that it opened. */
export async function buildApp({ loaded, read, log, readiness, version }: AppOptions): Promise<FastifyInstance> {
  const { config } = loaded
  const { server } = config
  const peppers = loadPeppers(config)
  const app = buildServer(config.server, log)

  await app.register(internalListener, {
    host: server.internalHost,
    port: server.internalPort,
    clientErrorHandler: answerClientError,
  })
  await app.register(configuration, { loaded, read })
  await app.register(logLevel)
  await app.register(drain)
  await app.register(errors)
  await app.register(routeScopes)
  await app.register(openapi, { version })
  await app.register(metrics, { version })
  await app.register(configReload, { watchFile: server.watchConfig })
  await app.register(traces, { settings: loaded.traces, version })
  await app.register(usage)
  await app.register(pulse, { readiness, host: server.internalHost, port: server.probePort })
  await app.register(cors, { origins: server.corsOrigins })
  // A page may read its refusals; a preflight is answered before it, which costs no more than to refuse it.
  await app.register(floodGuard, {
    bounds: () => app.configuration.current.server.floodGuard,
    trustedProxies: server.trustedProxies,
  })
  await app.register(body, { maxBodyBytes: server.maxBodyBytes })
  await app.register(postgres, { config, readiness })
  await app.register(redis, { config })
  await app.register(changes, { config })
  await app.register(engine, { config })
  await app.register(catalog)
  await app.register(jwt, { config, peppers })
  await app.register(auth, { config, peppers })
  await app.register(permissions)
  await app.register(denials)
  await app.register(limits, { config, readiness })
  await app.register(limitHeaders)
  await app.register(ledger, { config, readiness })
  await app.register(webhooks)
  await app.register(experiments)
  await app.register(backends, {
    ...config.routing,
    prefixSecret: derivePrefixSecret(newestPepper(peppers)),
  })
  await app.register(cache, { config })
  await app.register(semantic, { config })
  await app.register(stateMetrics)
  await app.register(control, { config })

  await app.register(welcomeRoutes)
  await app.register(healthRoutes, { readiness })
  await app.register(metricsRoutes, { needsAdmin: server.internalPort === undefined && !isLoopback(server.host) })
  await app.register(docsRoutes)
  await app.register(tokenRoutes, { tokenTtlMs: config.auth.tokenTtlMs })
  await app.register(adminRoutes, { prefix: '/admin' })
  await app.register(v1Routes, { prefix: '/v1' })
  return app
}

function buildServer(server: Config['server'], log: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    // One line a request is written when its socket closes (plugins/usage.ts); Fastify's own two come too early.
    logController: new LogController({ disableRequestLogging: true }),
    // By its time, so that the ledger knows where to look for it.
    genReqId: () => `req_${makeTimeOrderedId(Date.now()).replaceAll('-', '')}`,
    requestIdHeader: false,
    trustProxy: [...server.trustedProxies],
    bodyLimit: server.maxBodyBytes,
    requestTimeout: 30_000,
    // A missing Host is answered in OpenAI's shape by plugins/errors.ts; Node would send no body.
    http: { connectionsCheckingInterval: 2000, requireHostHeader: false },
    forceCloseConnections: 'idle',
    // While it drains the probes and metrics of the internal listener still answer, and so does what came in before.
    return503OnClosing: false,
    routerOptions: { constraints: { listener: internalListenerStrategy }, maxParamLength: 512 },
    clientErrorHandler: answerClientError,
    frameworkErrors: answerFrameworkError,
  })
  app.setSerializerCompiler(compileSerializer)
  return app
}
