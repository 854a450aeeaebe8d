import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import fastify, { type FastifyInstance } from 'fastify'
import auth, { getPrincipal } from '../../plugins/auth.ts'
import changes from '../../plugins/changes.ts'
import configuration from '../../plugins/configuration.ts'
import drain from '../../plugins/drain.ts'
import jwt from '../../plugins/jwt.ts'
import metrics from '../../plugins/metrics.ts'
import postgresPlugin from '../../plugins/postgres.ts'
import redis from '../../plugins/redis.ts'
import type { Config } from '../../src/config.ts'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { loadPeppers } from '../../src/embedded/pepper.ts'
import { WeirError } from '../../src/errors.ts'
import { Readiness } from '../../src/readiness.ts'
import { scopeNames } from '../../src/schemas/config/tiers.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { insertKey, type NewKeyRow } from '../../src/store/keys.ts'
import { onEnd } from './cleanup.ts'
import { configOf, fixedConfiguration } from './config.ts'
import { makeTempDir } from './temp-dir.ts'
import { until } from './until.ts'

export const adminKey = `an admin key ${'of any shape '.repeat(3)}`.trim()

export interface AuthAppOptions {
  readonly databaseUrl: string
  readonly redisUrl?: string
  /** Over what the configuration says of auth. */
  readonly auth?: Partial<Config['auth']>
}

/** Authentication and what it needs, on a server that has nothing else. */
export async function registerAuth(app: FastifyInstance, config: Config): Promise<void> {
  const peppers = loadPeppers(config)
  await app.register(configuration, fixedConfiguration(config))
  await app.register(metrics, { version: 'test' })
  await app.register(drain)
  await app.register(postgresPlugin, { config, readiness: new Readiness() })
  await app.register(redis, { config })
  await app.register(changes, { config })
  await app.register(jwt, { config, peppers })
  await app.register(auth, { config, peppers })
}

/**
 * A server with authentication alone: for every scope a route of its name that needs it and answers with the principal.
 * `lines` is its log.
 */
export async function buildAuthApp(t: TestContext, { databaseUrl, redisUrl, auth: changed }: AuthAppOptions) {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: line => lines.push(line) } } })
  onEnd(t, () => app.close())
  const config = configOf({
    WEIR_DATA_DIR: makeTempDir(t),
    DATABASE_URL: databaseUrl,
    WEIR_KEY_PEPPER: 'a pepper that is long enough for tests',
    WEIR_ADMIN_KEY: adminKey,
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
  })
  await registerAuth(app, { ...config, auth: { ...config.auth, ...changed } })
  app.setErrorHandler((error, _request, reply) => {
    assert.ok(error instanceof WeirError)
    return reply.code(error.statusCode).headers(error.headers).send(error.body)
  })
  for (const scope of scopeNames) {
    app.get(`/${scope}`, { onRequest: [app.authenticate, app.requireScope(scope)] }, async request => {
      const { scopes, ...rest } = getPrincipal(request)
      return { ...rest, scopes: [...scopes] }
    })
  }
  await app.ready()
  return { app, lines }
}

/** The same, when its database answers. */
export async function buildReadyAuthApp(
  t: TestContext,
  databaseUrl: string,
  options: Omit<AuthAppOptions, 'databaseUrl'> = {},
) {
  const built = await buildAuthApp(t, { databaseUrl, ...options })
  await until('the database is ready', () => built.app.database.state === 'ready')
  return built
}

/** Makes a key of the default account, or as `changes` say, and returns it. */
export async function storeKey(app: FastifyInstance, changes: Partial<NewKeyRow> = {}): Promise<string> {
  const { key, ...identity } = makeApiKey(app.peppers)
  const row = { accountId: defaultAccount.id, name: 'a key', scopes: null, models: null, createdAt: new Date() }
  await insertKey(app.sql, { ...identity, ...row, expiresAt: null, ...changes })
  return key
}

/** How often the database has looked for a key since it was made. */
export async function countLookups(app: FastifyInstance): Promise<number> {
  // Every connection keeps its own numbers until it is told to hand them over.
  await Promise.all(Array.from({ length: 20 }, () => app.sql`select pg_stat_force_next_flush(), pg_sleep(0.01)`))
  await Promise.all(Array.from({ length: 20 }, () => app.sql`select pg_sleep(0.01)`))
  const [row] = await app.sql`
    select coalesce(sum(idx_scan), 0)::int as n from pg_stat_user_indexes where indexrelname = 'api_keys_pkey'`
  return row?.['n']
}
