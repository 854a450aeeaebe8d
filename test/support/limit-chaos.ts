/** Gateways that share a database and a Redis, each as its operator runs it, and the load on them. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { onEnd } from './cleanup.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import { adminKey } from './gateway.ts'
import { type GatewayProcess, startGateway } from './gateway-process.ts'
import { startScriptedBackend } from './scripted-backend.ts'
import { createMigratedDatabase } from './services.ts'
import { makeTempDir } from './temp-dir.ts'

export interface ChaosOptions {
  readonly count: number
  /** Of weir.yaml, in its words. */
  readonly tiers: Readonly<Record<string, object>>
  /** None where each counts for itself. */
  readonly redisUrl: string | null
  readonly env?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly atMs: number
  readonly durationMs: number
  readonly status: number
  /** 0 where it does not say. */
  readonly retryAfterMs: number
}

export interface ChaosWorld {
  readonly gateways: readonly GatewayProcess[]
  /** A key of a new account in this tier. */
  caller(tier: string): Promise<string>
  /** One embedding, of the replica with this number. */
  ask(replica: number, key: string): Promise<Answer>
  /** Sends so many a second, in turn to all replicas, whether the earlier ones were answered or not. */
  startLoad(key: string, perSecond: number): Load
  /** What all of them have said of going on alone and of being back, so far. */
  modeChanges(): readonly string[]
  /** Until all count together, or all alone. */
  becomes(mode: 'together' | 'alone', withinMs?: number): Promise<void>
}

export interface Load {
  readonly answers: readonly Answer[]
  /** Sends no more and waits for what is under way. */
  stop(): Promise<readonly Answer[]>
}

const pepper = 'test-pepper-0123456789-0123456789-0123'

export async function startChaosWorld(t: TestContext, options: ChaosOptions): Promise<ChaosWorld> {
  const { count, tiers, redisUrl, env = {} } = options
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4 }))
  const file = join(makeTempDir(t), 'weir.yaml')
  const config = {
    tiers,
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 1000 } },
    models: { tinychat: { endpoints: ['embeddings'], targets: [{ backend: 'main' }] } },
  }
  await writeFile(file, JSON.stringify(config))
  const shared = {
    DATABASE_URL: await createMigratedDatabase(t),
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    ...(redisUrl !== null && { REDIS_URL: redisUrl }),
    ...env,
  }
  const start = () => startGateway(t, { env: shared, flags: ['--config', file] })
  // The first makes the schema.
  const gateways = [await start()]
  gateways.push(...(await Promise.all(Array.from({ length: count - 1 }, start))))
  const agent = new Agent({ connections: 128, pipelining: 1, bodyTimeout: 30_000, headersTimeout: 30_000 })
  onEnd(t, () => agent.destroy())
  const calls = callsOf(agent, gateways)
  const metric = async ({ url }: GatewayProcess) => {
    const answer = await agent.request({ origin: url, path: '/metrics', method: 'GET' })
    return /^weir_limit_local_mode (\d)$/m.exec(await answer.body.text())?.[1]
  }
  let names = 0
  const world: ChaosWorld = {
    gateways,
    ask: calls.ask,
    async caller(tier) {
      const account = `account ${++names}`
      await calls.admin('/accounts', { name: account, tier })
      const { key = '' } = await calls.admin('/keys', { account, name: account })
      return key
    },
    startLoad: (key, perSecond) => startLoad(perSecond, turn => calls.ask(turn % gateways.length, key)),
    modeChanges: () =>
      gateways.flatMap(({ logs }) =>
        logs().flatMap(({ msg, reason }) => (/^limits: /.test(String(msg)) ? [`${msg} (${reason})`] : [])),
      ),
    async becomes(mode, withinMs = 5000) {
      const wanted = mode === 'alone' ? '1' : '0'
      const haveAll = async () => (await Promise.all(gateways.map(metric))).every(value => value === wanted)
      await eventually(`all count ${mode}`, haveAll, { withinMs, everyMs: 20 })
    },
  }
  await warmUp(world, options)
  return world
}

/** A process that has just started takes many times as long for a request. */
async function warmUp(world: ChaosWorld, { tiers, redisUrl }: ChaosOptions): Promise<void> {
  const [anyTier = ''] = Object.keys(tiers)
  const load = world.startLoad(await world.caller(anyTier), 300)
  await sleep(4000)
  await load.stop()
  if (redisUrl !== null) await world.becomes('together')
}

function callsOf(agent: Agent, gateways: readonly GatewayProcess[]) {
  const headersOf = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
  return {
    async admin(path: string, body: object): Promise<Record<string, string>> {
      const answer = await agent.request({
        origin: gateways[0]?.url ?? '',
        path: `/admin${path}`,
        method: 'POST',
        headers: headersOf(adminKey),
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      assert.equal(answer.statusCode, 201, text)
      return JSON.parse(text) as Record<string, string>
    },
    async ask(replica: number, key: string): Promise<Answer> {
      const atMs = performance.now()
      const answer = await agent.request({
        origin: gateways[replica]?.url ?? '',
        path: '/v1/embeddings',
        method: 'POST',
        headers: headersOf(key),
        body: '{"model":"tinychat","input":"hi"}',
      })
      await answer.body.dump()
      const retryAfterMs = Number(answer.headers['retry-after-ms'] ?? 0)
      return { atMs, durationMs: performance.now() - atMs, status: answer.statusCode, retryAfterMs }
    },
  }
}

function startLoad(perSecond: number, send: (turn: number) => Promise<Answer>): Load {
  const answers: Answer[] = []
  const underWay = new Set<Promise<void>>()
  const beganMs = performance.now()
  let isRunning = true
  const one = async (turn: number) => void answers.push(await send(turn))
  const schedule = async () => {
    for (let sent = 0; isRunning; await sleep(1)) {
      const due = Math.floor(((performance.now() - beganMs) * perSecond) / 1000)
      for (; sent < due; sent++) {
        const request = one(sent).finally(() => underWay.delete(request))
        underWay.add(request)
      }
    }
  }
  const scheduled = schedule()
  return {
    answers,
    async stop() {
      isRunning = false
      await scheduled
      await Promise.all(underWay)
      return answers
    },
  }
}

export const between = (answers: readonly Answer[], fromMs: number, untilMs = Number.POSITIVE_INFINITY) =>
  answers.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)

export const countOf = (answers: readonly Answer[], status: number) =>
  answers.filter(answer => answer.status === status).length

/** The statuses other than these. */
export const othersThan = (answers: readonly Answer[], ...statuses: readonly number[]) =>
  answers.map(({ status }) => status).filter(status => !statuses.includes(status))

export function p99Of(answers: readonly Answer[]): number {
  const sorted = answers.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0
}

/** The median of the p99 of each half second: a hiccup of the machine spoils one of them. */
export function medianP99(answers: readonly Answer[], fromMs: number, untilMs: number): number {
  const p99s: number[] = []
  for (let atMs = fromMs; atMs + 500 <= untilMs; atMs += 500) p99s.push(p99Of(between(answers, atMs, atMs + 500)))
  return p99s.sort((a, b) => a - b)[Math.floor(p99s.length / 2)] ?? 0
}
