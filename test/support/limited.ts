/** A gateway with tiers of the test's own, and callers in them. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type OpenAI from 'openai'
import type { KeyLimits, Limits } from '../../src/schemas/admin/limits.ts'
import { adminOf } from './admin.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'
import { createRedisDatabase } from './services.ts'

export type StoreKind = 'the process' | 'Redis'
export const storeKinds: readonly StoreKind[] = ['the process', 'Redis']

export interface LimitedOptions {
  readonly store?: StoreKind
  /** Of weir.yaml, in its words. */
  readonly tiers: Readonly<Record<string, object>>
  /** What else its model says. */
  readonly model?: object
  /** Models beside it. */
  readonly models?: object
  /** What else weir.yaml says. */
  readonly more?: object
  readonly behaviour?: Behaviour
  /** What else its backend says. */
  readonly of?: object
  readonly redisUrl?: string
  readonly databaseUrl?: string
  /** On the embedded database. */
  readonly isEmbedded?: boolean
}

export interface Limited {
  readonly gateway: Gateway
  readonly backend: ScriptedBackend
  /** A new account and a key of it. */
  caller(options?: CallerOptions): Promise<Caller>
}

export interface CallerOptions {
  readonly tier?: string
  readonly limits?: Limits
  readonly keyLimits?: KeyLimits
  /** Whether its key may be answered by meaning. */
  readonly semanticCache?: boolean
  /** Another key of an account that is there. */
  readonly account?: string
}

export interface Caller {
  readonly key: string
  readonly account: string
  readonly openai: OpenAI
  /** A chat by plain HTTP; reads the answer. */
  chat(body?: object): Promise<Answer>
  /** GET /v1/usage/limits, by name; those of a key as `key:NAME`. */
  limits(): Promise<Record<string, LimitSeen>>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly error: { readonly message: string; readonly type: string; readonly code: string | null } | null
}

export interface LimitSeen {
  readonly limit: number | string
  /** Null where nobody can say. */
  readonly used: number | string | null
  readonly remaining: number | string | null
  readonly resets_at: string | null
}

let names = 0
const nextName = () => `caller ${++names}`

export async function startLimited(t: TestContext, options: LimitedOptions): Promise<Limited> {
  const { store = 'the process', tiers, model = {}, models, more, behaviour = llamaServer({ dimensions: 4 }) } = options
  const backend = await startScriptedBackend(t, behaviour)
  const yaml = JSON.stringify({
    tiers,
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 1000, ...options.of } },
    models: {
      tinychat: { endpoints: ['chat', 'completions', 'embeddings'], targets: [{ backend: 'main' }], ...model },
      ...models,
    },
    ...more,
  })
  const redisUrl = options.redisUrl ?? (store === 'Redis' ? await createRedisDatabase(t) : undefined)
  const env = {
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    ...(options.databaseUrl !== undefined && { DATABASE_URL: options.databaseUrl }),
  }
  const gateway = await buildGateway(t, { yaml, env, isEmbedded: options.isEmbedded === true })
  const caller = (wanted: CallerOptions = {}) => makeCaller(gateway, Object.keys(tiers)[0] ?? 'free', wanted)
  return { gateway, backend, caller }
}

async function makeCaller(
  gateway: Gateway,
  firstTier: string,
  { tier = firstTier, limits, keyLimits, semanticCache, account = nextName() }: CallerOptions,
): Promise<Caller> {
  const admin = adminOf(gateway)
  const made = await admin.ask('POST', '/accounts', { name: account, tier, ...(limits && { limits }) })
  assert.ok(made.status === 201 || made.status === 409, JSON.stringify(made.body))
  const { key } = await admin.get<{ key: string }>('POST', '/keys', {
    account,
    name: nextName(),
    ...(keyLimits && { limits: keyLimits }),
    ...(semanticCache !== undefined && { semantic_cache: semanticCache }),
  })
  const authorization = { authorization: `Bearer ${key}` }
  return {
    key,
    account,
    openai: gateway.openai.withOptions({ apiKey: key }),
    async chat(body = {}) {
      const response = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }], ...body }),
      })
      const text = await response.text()
      const { error = null } = text.startsWith('{') ? (JSON.parse(text) as { error?: Answer['error'] }) : {}
      return { status: response.status, headers: response.headers, error }
    },
    async limits() {
      const response = await gateway.fetch(`${gateway.url}/v1/usage/limits`, { headers: authorization })
      assert.equal(response.status, 200)
      const { data } = (await response.json()) as { data: (LimitSeen & { name: string; of: string })[] }
      return Object.fromEntries(data.map(({ name, of, ...seen }) => [of === 'key' ? `key:${name}` : name, seen]))
    },
  }
}

/** Waits until this much of a limit is used: what a request used is settled when its connection has closed. */
export async function settledAt(caller: Caller, name: string, used: number | string): Promise<void> {
  let seen: unknown
  await eventually(`${name} to be used to ${used}`, async () => {
    seen = (await caller.limits())[name]?.used
    return seen === used
  }).catch(error => {
    throw new Error(`${String(error)}; it is ${String(seen)}`)
  })
}
