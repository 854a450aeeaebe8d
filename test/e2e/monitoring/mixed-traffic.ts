/** A gateway with all that it can have, and callers who do all that callers do. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { onEnd } from '../../support/cleanup.ts'
import type { Daemon } from '../../support/daemon.ts'
import { llamaServer } from '../../support/engines.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { startJwksServer } from '../../support/jwks-server.ts'
import { jwkOf, makeKeyPair, signJwt } from '../../support/jwt-maker.ts'
import { startPostgres } from '../../support/postgres-server.ts'
import { startRedis } from '../../support/redis-server.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, pepper } from '../process/calls.ts'

export interface Monitored {
  readonly gateway: GatewayProcess
  readonly postgres: Daemon
  readonly redis: Daemon
  /** `b0` and `b1` serve all models but `lonely` and `dead`, which `b2` has; `b3` gets copies in the shadow. */
  readonly backends: readonly ScriptedBackend[]
  /** Callers of all kinds, until the end of the test. How often each kind had which status. */
  startCallers(): Readonly<Record<string, Record<number, number>>>
}

const pair = makeKeyPair('ES256')
const prices = [{ from: '2026-01-01', input: '1.00', output: '10.00' }]
const endpoints = ['chat', 'completions', 'embeddings']
const both = [{ backend: 'b0' }, { backend: 'b1' }]
const arms = (other: string) => [
  { backend: 'b0', arm: 'old' },
  { backend: other, arm: 'new' },
]

function configuration(backends: readonly ScriptedBackend[], issuers: Record<string, string>): string {
  return JSON.stringify({
    auth: {
      issuers: Object.fromEntries(
        Object.entries(issuers).map(([name, jwksUrl]) => [
          name,
          { issuer: name, audience: ['weir'], jwksUrl, provision: true },
        ]),
      ),
    },
    tiers: {
      free: { limits: { requestsPerMinute: 600, burst: 100, tokensPerMinute: 10_000_000 } },
      // Used up at once.
      tiny: { limits: { requestsPerMinute: 1, burst: 1 } },
    },
    backends: Object.fromEntries(
      backends.map(({ url }, index) => [
        `b${index}`,
        { url, engine: 'llama-server', slots: 1, breaker: { pause: '1s', maxPause: '2s' } },
      ]),
    ),
    models: {
      tinychat: { endpoints, targets: both, prices },
      free: { targets: both },
      // What is asked again is answered from its cache.
      kept: {
        endpoints,
        targets: both,
        prices,
        cache: { mode: 'deterministic', semantic: { embeddingModel: 'tinychat' } },
      },
      lonely: { targets: [{ backend: 'b2' }], fallback: 'tinychat', prices },
      dead: { targets: [{ backend: 'b2' }], prices },
      compared: { targets: arms('b1'), experiment: { name: 'compared', stickBy: 'x-user' }, prices },
      // What its copies say nobody hears.
      shadowed: { targets: arms('b3'), experiment: { name: 'shadowed', stickBy: 'x-user', shadow: true }, prices },
    },
  })
}

export async function startMonitored(t: TestContext): Promise<Monitored> {
  const answer = { tokens: 5, everyMs: 20, firstTokenAfterMs: 20 }
  const [postgres, redis, provider, ...backends] = await Promise.all([
    startPostgres(t),
    startRedis(t),
    startJwksServer(t, [jwkOf(pair, 'one')]),
    ...[0, 1, 2, 3].map(() => startScriptedBackend(t, llamaServer({ answer, slots: 1, dimensions: 4 }))),
  ])
  const gone = await startJwksServer(t)
  await gone.stop()
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'weir.yaml'), configuration(backends, { corp: provider.url, gone: gone.url }))
  const env = {
    INTERNAL_PORT: '0',
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: pepper,
    NODE_COMPILE_CACHE: fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url)),
  }
  const gateway = await startGateway(t, { folder, env })
  const keys = { free: await makeKey(gateway, 'free'), tiny: await makeKey(gateway, 'tiny') }
  return { gateway, postgres, redis, backends, startCallers: () => startCallers(t, gateway, keys) }
}

async function makeKey({ internalUrl }: GatewayProcess, tier: string): Promise<string> {
  const post = async (path: string, body: object) => {
    const answer = await boundedFetch(`${internalUrl}/admin${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${path} is answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as { key?: string }
  }
  await post('/accounts', { name: `the ${tier}`, tier })
  const { key = '' } = await post('/keys', { account: `the ${tier}`, name: tier, semantic_cache: true })
  return key
}

const messages = [{ role: 'user', content: 'hi' }]
const chat = (model: string, more: object = {}) => ({ path: 'chat/completions', body: { model, messages, ...more } })

function jwtOf(issuer: string): string {
  const exp = Math.ceil(Date.now() / 1000) + 600
  return signJwt(pair, { iss: issuer, aud: 'weir', sub: 'somebody', exp }, { kid: 'one' })
}

interface Call {
  readonly path: string
  readonly body: object
  readonly key: string
  /** Its caller leaves after the first piece of the answer. */
  readonly leaves?: true
}

function callsOf({ free, tiny }: { readonly free: string; readonly tiny: string }): Readonly<Record<string, Call>> {
  return {
    ok: { ...chat('tinychat'), key: free },
    stream: { ...chat('tinychat', { stream: true }), key: free },
    other: { ...chat('tinychat'), key: free },
    aborted: { ...chat('tinychat', { stream: true }), key: free, leaves: true },
    text: { path: 'completions', body: { model: 'tinychat', prompt: 'hi' }, key: free },
    vectors: { path: 'embeddings', body: { model: 'tinychat', input: 'hi' }, key: free },
    hit: { ...chat('kept', { temperature: 0 }), key: free },
    bypass: { ...chat('kept'), key: free },
    cut: { ...chat('kept', { temperature: 0, max_tokens: 2 }), key: free },
    exactly: {
      ...chat('kept', { temperature: 0, max_tokens: 3, response_format: { type: 'json_object' } }),
      key: free,
    },
    knownVectors: { path: 'embeddings', body: { model: 'kept', input: ['hi', 'ho'] }, key: free },
    unpriced: { ...chat('free'), key: free },
    unknown: { ...chat('tinychat'), key: 'sk-weir-none' },
    limited: { ...chat('tinychat'), key: tiny },
    fallback: { ...chat('lonely'), key: free },
    dead: { ...chat('dead'), key: free },
    arms: { ...chat('compared'), key: free },
    shadow: { ...chat('shadowed'), key: free },
    jwt: { ...chat('tinychat'), key: jwtOf('corp') },
    issuerGone: { ...chat('tinychat'), key: jwtOf('gone') },
  }
}

function startCallers(t: TestContext, { url }: GatewayProcess, keys: { readonly free: string; readonly tiny: string }) {
  const calls = Object.entries(callsOf(keys))
  const tally: Record<string, Record<number, number>> = Object.fromEntries(calls.map(([kind]) => [kind, {}]))
  let isRunning = true
  const work = async ([kind, call]: readonly [string, Call]) => {
    const seen = tally[kind] ?? {}
    while (isRunning) {
      const status = await send(url, call)
      seen[status] = (seen[status] ?? 0) + 1
      // Somebody who was refused would ask thousands of times a second.
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  const working = Promise.all(calls.map(work))
  onEnd(t, async () => {
    isRunning = false
    await working
  })
  return tally
}

let users = 0

async function send(url: string, { path, body, key, leaves }: Call): Promise<number> {
  const leaving = new AbortController()
  const answer = await boundedFetch(`${url}/v1/${path}`, {
    method: 'POST',
    // Another one each time, so that every arm has some.
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-user': String(users++) },
    body: JSON.stringify(body),
    signal: leaving.signal,
  })
  if (leaves === true) {
    await answer.body?.getReader().read()
    leaving.abort()
  } else await answer.text()
  return answer.status
}
