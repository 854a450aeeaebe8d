/** A gateway whose callers and operators have canaries in all that they keep to themselves. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import postgres, { type Sql } from 'postgres'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { onEnd } from '../../support/cleanup.ts'
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { signHs256 } from '../../support/jwt-maker.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../../support/otlp-receiver.ts'
import { startRedis } from '../../support/redis-server.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, pepper, untilReady } from './calls.ts'
import { formsOf } from './secrets.ts'

const canary = (what: string) => `Kanarie${what}x7Qz41pWm90`
export const canaries = {
  key: canary('Key'),
  claim: canary('Claim'),
  secret: canary('Secret'),
  prompt: canary('Prompt'),
  header: canary('Header'),
  query: canary('Query'),
  path: canary('Path'),
  model: canary('Model'),
  metadata: canary('Metadata'),
  field: canary('field').toLowerCase(),
  backend: canary('Backend'),
  backendKey: canary('BackendKey'),
  redis: canary('Redis'),
  config: canary('Config'),
} as const
export interface World {
  readonly gateway: GatewayProcess
  readonly backend: ScriptedBackend
  readonly database: FaultProxy
  readonly redis: FaultProxy
  readonly sql: Sql
  readonly collector: OtlpReceiver
  readonly configFile: string
  /** Every form of everything that must not be found, by what it is. */
  readonly forms: Map<string, readonly string[]>
  /** Makes an account in this tier with a key, which must not be found either. */
  readonly makeKey: (scopes: readonly string[], tier?: string) => Promise<string>
}

export const found = ({ forms }: World, text: string) =>
  [...forms].filter(([, each]) => each.some(form => text.includes(form))).map(([what]) => what)

const jwtSecret = canaries.secret.repeat(2)
export const jwtOf = (claims: Record<string, unknown>) =>
  signHs256(jwtSecret, {
    iss: 'https://issuer.example',
    aud: 'weir',
    exp: Math.ceil(Date.now() / 1000) + 600,
    ...claims,
  })

export async function startCanaries(t: TestContext): Promise<World> {
  const [backend, collector, redisServer, databaseUrl] = await Promise.all([
    startScriptedBackend(t),
    startOtlpReceiver(t),
    startRedis(t, { args: ['--requirepass', canaries.redis] }),
    createDatabase(t),
  ])
  const database = await startFaultProxy(t, { port: Number(new URL(databaseUrl).port) })
  const redis = await startFaultProxy(t, { port: redisServer.port })
  const words = { ...canaries, adminKey, pepper, database: new URL(databaseUrl).password }
  const forms = new Map(Object.entries(words).map(([what, word]) => [what, formsOf(word)]))
  const configFile = join(makeTempDir(t), 'weir.yaml')
  writeFileSync(configFile, yamlOf(backend.url))
  const gateway = await startGateway(t, {
    env: {
      WEIR_CONFIG: configFile,
      LOG_LEVEL: 'trace',
      DATABASE_URL: databaseUrl.replace(`:${new URL(databaseUrl).port}/`, `:${database.port}/`),
      REDIS_URL: `redis://default:${canaries.redis}@127.0.0.1:${redis.port}`,
      WEIR_ADMIN_KEY: adminKey,
      WEIR_KEY_PEPPER: pepper,
      JWT_SECRET: jwtSecret,
      BACKEND_KEY: canaries.backendKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
    },
  })
  await untilReady(gateway.url)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined })
  onEnd(t, () => sql.end())
  const send = async (path: string, body: object) => {
    const response = await boundedFetch(`${gateway.url}/admin${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.ok(response.ok, await response.clone().text())
    return (await response.json()) as Record<string, string>
  }
  let made = 0
  const makeKey = async (scopes: readonly string[], tier = 'free') => {
    made += 1
    const { id } = await send('/accounts', { name: `account ${made}`, tier })
    const { key = '' } = await send('/keys', { account: id, name: `key ${made}`, scopes })
    forms.set(`key ${made}`, formsOf(key.slice(25)))
    return key
  }
  return { gateway, backend, database, redis, sql, collector, configFile, forms, makeKey }
}

export const chat = {
  model: 'tinychat',
  messages: [{ role: 'user', content: `${canaries.prompt} and more` }],
  metadata: { [canaries.metadata]: canaries.metadata },
  user: canaries.metadata,
  stop: [canaries.prompt],
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly key?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** Each carries canaries in its headers, its query and its body. */
export async function ask({ gateway }: World, { method = 'POST', path = '/v1/chat/completions', ...more }: Ask) {
  const { key = adminKey, body = chat, headers = {} } = more
  const response = await boundedFetch(`${gateway.url}${path}?api_key=${canaries.query}&q=${canaries.query}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'user-agent': canaries.header,
      cookie: `session=${canaries.header}`,
      'x-request-id': `${canaries.header} !`,
      'x-forwarded-for': canaries.header,
      traceparent: `00-${canaries.header}-1-01`,
      'idempotency-key': canaries.header,
      ...headers,
    },
    ...(method === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  await response.text().catch(() => undefined)
  return response.status
}

export function yamlOf(backendUrl: string, more: object = {}): string {
  return JSON.stringify({
    server: { maxBody: '16KiB' },
    auth: {
      issuers: { own: { issuer: 'https://issuer.example', audience: ['weir'], secret: { env: 'JWT_SECRET' } } },
    },
    routing: { maxAttempts: 2 },
    backends: {
      main: {
        url: backendUrl,
        engine: 'llama-server',
        apiKey: { env: 'BACKEND_KEY' },
        timeouts: { firstToken: '300ms', idle: '300ms' },
        breaker: { window: 10_000, least: 10_000 },
      },
    },
    models: { tinychat: { endpoints: ['chat', 'completions', 'embeddings'], targets: [{ backend: 'main' }] } },
    tiers: { narrow: { limits: { requestsPerMinute: 1 } } },
    ...more,
  })
}
