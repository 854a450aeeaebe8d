/** Several gateways as an operator runs them, sharing one PostgreSQL database and one Redis of their own. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Agent, type Dispatcher } from 'undici'
import { boundedFetch } from './bounded-fetch.ts'
import { onEnd } from './cleanup.ts'
import type { Daemon } from './daemon.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import { adminKey } from './gateway.ts'
import { type GatewayProcess, startGateway } from './gateway-process.ts'
import { startRedis } from './redis-server.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'
import { createMigratedDatabase } from './services.ts'

const pepper = 'test-pepper-0123456789-0123456789-0123'

export interface ReplicasOptions {
  readonly count: number
  /** Of weir.yaml, in its words. */
  readonly tiers: Readonly<Record<string, object>>
  readonly behaviour?: Behaviour
  /** What else its model says. */
  readonly model?: object
  /** Of each question; a text unless told. */
  readonly input?: string | readonly number[]
}

export interface Replicas {
  readonly gateways: readonly GatewayProcess[]
  readonly backend: ScriptedBackend
  readonly redis: Daemon
  /** For what the test itself asks of Redis; each call on a connection that works, also after a restart. */
  askRedis<T>(question: (client: Redis) => Promise<T>): Promise<T>
  /** A new account in this tier, and a key of it. */
  caller(tier: string): Promise<{ readonly account: string; readonly key: string }>
  /** A replica that has just started takes many times as long for a request: so many that this is over. */
  warmUp(tier: string): Promise<void>
  /** The admin API of the replica with this number. */
  admin(replica: number, method: string, path: string, body: object): Promise<Record<string, string>>
  /** GET /admin/usage for one account, in sums of all time. */
  usage(account: string): Promise<{ readonly requests: number; readonly cost: string }>
  /** The status of one embedding; 0 where no answer came. */
  ask(replica: number, key: string): Promise<number>
  /** `total` of them, spread evenly, `concurrency` at a time; how many had which status. */
  flood(load: Flood): Promise<Tally>
  /** GET /v1/usage/limits. */
  limits(replica: number, key: string): Promise<LimitsSeen>
  /** Whether each replica counts for itself, by its metric. */
  alone(): Promise<readonly boolean[]>
  /** Whether no request of a replica waits for Redis any more, who is near a limit apart: it is alone, or suspects Redis. */
  waitsForNobody(): Promise<readonly boolean[]>
  /** Waits until all replicas count together, or each for itself. */
  becomes(counted: LimitsSeen['counted'], withinMs?: number): Promise<void>
}

/** By the limit's name. */
export interface LimitsSeen {
  readonly counted: 'together' | 'alone'
  readonly used: Readonly<Record<string, number>>
  readonly limit: Readonly<Record<string, number>>
}

export interface Flood {
  readonly key: string
  readonly total: number
  readonly concurrency: number
  /** All of them unless told. */
  readonly replicas?: readonly number[]
}

export type Tally = Readonly<Record<number, number>>

export async function startReplicas(t: TestContext, options: ReplicasOptions): Promise<Replicas> {
  const { count, behaviour = llamaServer({ dimensions: 4 }), input = 'hi' } = options
  const [redis, backend, database] = await Promise.all([
    startRedis(t),
    startScriptedBackend(t, behaviour),
    createMigratedDatabase(t),
  ])
  const yaml = await writeConfig(t, options, backend.url)
  const env = {
    DATABASE_URL: database,
    REDIS_URL: redis.url,
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
  }
  const start = () => startGateway(t, { env, flags: ['--config', yaml] })
  // The first one makes the schema; the others would only wait for it.
  const first = await start()
  const gateways = [first, ...(await Promise.all(Array.from({ length: count - 1 }, start)))]
  const agent = new Agent({ connections: 2048, pipelining: 1, bodyTimeout: 30_000, headersTimeout: 30_000 })
  onEnd(t, () => agent.destroy())
  const urlOf = (replica: number) => gateways[replica]?.url ?? ''
  const calls = callsWith(agent, urlOf, JSON.stringify({ model: 'tinychat', input }))
  // Each replica hears once a second how many there are, and admits by its place among them when it is on its own.
  await eventually('all replicas know of each other', () => countReplicas(redis.url, count), { withinMs: 10_000 })
  await sleep(1100)
  await Promise.all(gateways.map((_, replica) => untilReady(agent, urlOf(replica))))
  let names = 0
  const world: Replicas = {
    gateways,
    backend,
    redis,
    askRedis: question => askRedis(redis.url, question),
    ...calls,
    alone: () => Promise.all(gateways.map(isAlone)),
    waitsForNobody: () => Promise.all(gateways.map(async it => (await isSuspecting(it)) || (await isAlone(it)))),
    async becomes(counted, withinMs = 5000) {
      const wanted = counted === 'alone'
      const haveAll = async () => (await Promise.all(gateways.map(isAlone))).every(alone => alone === wanted)
      await eventually(`all replicas count ${counted}`, haveAll, { withinMs, everyMs: 20 })
    },
    async caller(tier) {
      const account = `account ${++names}`
      const { id = '' } = await calls.admin(0, 'POST', '/accounts', { name: account, tier })
      const { key = '' } = await calls.admin(0, 'POST', '/keys', { account, name: account })
      return { account: id, key }
    },
    async warmUp(tier) {
      const { key } = await world.caller(tier)
      await world.flood({ key, total: 2000, concurrency: 16 })
    },
    async flood({ key, total, concurrency, replicas = gateways.map((_, index) => index) }) {
      const tally: Record<number, number> = {}
      let sent = 0
      const work = async () => {
        while (sent < total) {
          const replica = replicas[sent++ % replicas.length] ?? 0
          const status = await calls.ask(replica, key)
          tally[status] = (tally[status] ?? 0) + 1
        }
      }
      await Promise.all(Array.from({ length: concurrency }, work))
      return tally
    },
  }
  return world
}

async function writeConfig(t: TestContext, options: ReplicasOptions, backendUrl: string): Promise<string> {
  const { tiers, model } = options
  const folder = await mkdtemp(join(tmpdir(), 'weir-test-replicas-'))
  onEnd(t, () => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'weir.yaml')
  const config = {
    tiers,
    backends: { main: { url: backendUrl, engine: 'llama-server', slots: 1000 } },
    models: { tinychat: { endpoints: ['chat', 'embeddings'], targets: [{ backend: 'main' }], ...model } },
  }
  await writeFile(file, JSON.stringify(config))
  return file
}

function callsWith(agent: Agent, urlOf: (replica: number) => string, body: string) {
  const request = (replica: number, options: Omit<Dispatcher.RequestOptions, 'origin'>) =>
    agent.request({ origin: urlOf(replica), ...options })
  const asJson = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
  return {
    async admin(replica: number, method: string, path: string, body: object): Promise<Record<string, string>> {
      const answer = await request(replica, {
        method: method as Dispatcher.HttpMethod,
        path: `/admin${path}`,
        headers: asJson(adminKey),
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      assert.ok(answer.statusCode < 300, `${method} ${path}: ${answer.statusCode} ${text}`)
      return JSON.parse(text) as Record<string, string>
    },
    async usage(account: string) {
      const path = `/admin/usage?group_by=account&account=${account}&from=2026-01-01T00:00:00Z`
      const answer = await request(0, { method: 'GET', path, headers: asJson(adminKey) })
      const { data = [] } = (await answer.body.json()) as { data?: { requests: number; cost: string }[] }
      assert.equal(answer.statusCode, 200)
      return { requests: data[0]?.requests ?? 0, cost: data[0]?.cost ?? '0' }
    },
    async ask(replica: number, key: string): Promise<number> {
      try {
        const answer = await request(replica, { method: 'POST', path: '/v1/embeddings', headers: asJson(key), body })
        await answer.body.dump()
        return answer.statusCode
      } catch {
        return 0
      }
    },
    async limits(replica: number, key: string): Promise<LimitsSeen> {
      const answer = await request(replica, { method: 'GET', path: '/v1/usage/limits', headers: asJson(key) })
      const { counted, data } = (await answer.body.json()) as {
        counted: LimitsSeen['counted']
        data: { name: string; used: number; limit: number }[]
      }
      const by = (field: 'used' | 'limit') => Object.fromEntries(data.map(entry => [entry.name, entry[field]]))
      return { counted, used: by('used'), limit: by('limit') }
    },
  }
}

async function untilReady(agent: Agent, origin: string): Promise<void> {
  await eventually('it is ready', async () => {
    const { statusCode, body } = await agent.request({ origin, path: '/health/ready', method: 'GET' })
    await body.dump()
    return statusCode === 200
  })
}

async function askRedis<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { retryStrategy: () => null, commandTimeout: 5000 })
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}

const countReplicas = async (url: string, count: number) =>
  (await askRedis(url, client => client.zcard('weir:{replicas}'))) === count

/** By its metric. */
const isAlone = (gateway: GatewayProcess) => readFlag(gateway, 'weir_limit_local_mode')

const isSuspecting = (gateway: GatewayProcess) => readFlag(gateway, 'weir_limit_redis_suspected')

async function readFlag({ url }: GatewayProcess, name: string): Promise<boolean> {
  const text = await (await boundedFetch(`${url}/metrics`, { headers: { connection: 'close' } })).text()
  const value = new RegExp(`^${name} (\\d)$`, 'm').exec(text)?.[1]
  assert.ok(value !== undefined, 'there is a metric for it')
  return value === '1'
}

/** What the replicas logged of their limits, for the message of a test that fails. */
export function limitLogs({ gateways }: Pick<Replicas, 'gateways'>): string {
  return gateways
    .flatMap(({ logs }, replica) =>
      logs().flatMap(({ msg, reason, time }) =>
        String(msg).startsWith('limits:') ? [`${time} replica ${replica}: ${msg} (${reason})`] : [],
      ),
    )
    .join('\n')
}
