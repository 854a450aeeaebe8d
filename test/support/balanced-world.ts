/** Replicas that share one PostgreSQL and one Redis and keep their ports over a restart, as a balancer knows them. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Behind } from './balancers.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { onEnd } from './cleanup.ts'
import { findFreePort } from './daemon.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import { adminKey } from './gateway.ts'
import { type GatewayProcess, startGateway } from './gateway-process.ts'
import { startRedis } from './redis-server.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'
import { createMigratedDatabase } from './services.ts'

export interface BalancedOptions {
  readonly count: number
  readonly behaviour?: Behaviour
  /** Of weir.yaml, in its words. */
  readonly tiers?: Readonly<Record<string, object>>
  readonly server?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
}

export interface BalancedReplica extends Behind {
  /** The process that runs now. */
  readonly gateway: GatewayProcess
  /** SIGTERM, an orderly end, and a new process at the same ports and on the same data that is ready. */
  restart(): Promise<void>
}

export interface BalancedWorld {
  readonly replicas: readonly BalancedReplica[]
  readonly backend: ScriptedBackend
  /** A key of a new account in this tier. */
  key(tier: string): Promise<string>
}

export async function startBalancedWorld(t: TestContext, options: BalancedOptions): Promise<BalancedWorld> {
  const {
    count,
    behaviour = llamaServer({ dimensions: 4, answer: { tokens: 12, everyMs: 25 } }),
    tiers,
    server,
  } = options
  const [redis, backend, database, folder] = await Promise.all([
    startRedis(t),
    startScriptedBackend(t, behaviour),
    createMigratedDatabase(t),
    mkdtemp(join(tmpdir(), 'weir-test-balanced-')),
  ])
  onEnd(t, () => rm(folder, { recursive: true, force: true }))
  const yaml = join(folder, 'weir.yaml')
  const config = {
    ...(tiers !== undefined && { tiers }),
    ...(server !== undefined && { server }),
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 1000 } },
    models: { tinychat: { endpoints: ['chat', 'embeddings'], targets: [{ backend: 'main' }] } },
  }
  await writeFile(yaml, JSON.stringify(config))
  const env = {
    DATABASE_URL: database,
    REDIS_URL: redis.url,
    WEIR_KEY_PEPPER: 'test-pepper-0123456789-0123456789-0123',
    WEIR_ADMIN_KEY: adminKey,
    TRUSTED_PROXIES: '127.0.0.1/32',
    ...options.env,
  }
  const start = async (index: number) => startReplica(t, { yaml, env, folder: await replicaFolder(t, index) })
  // The first one makes the schema; the others would only wait for it.
  const first = await start(0)
  const replicas = [first, ...(await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 1))))]
  let names = 0
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const url = `${first.gateway.url}/admin${path}`
    const answer = await boundedFetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await answer.text()
    assert.ok(answer.ok, `${path}: ${answer.status} ${text}`)
    return JSON.parse(text) as Record<string, string>
  }
  return {
    replicas,
    backend,
    async key(tier) {
      const name = `account ${++names}`
      const { id = '' } = await post('/accounts', { name, tier })
      const { key = '' } = await post('/keys', { account: id, name })
      return key
    },
  }
}

async function replicaFolder(t: TestContext, index: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `weir-test-replica-${index}-`))
  onEnd(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

interface ReplicaOptions {
  readonly yaml: string
  readonly env: Record<string, string>
  readonly folder: string
}

async function startReplica(t: TestContext, { yaml, env, folder }: ReplicaOptions): Promise<BalancedReplica> {
  const [port, probePort] = [await findFreePort(), await findFreePort()]
  const start = async () => {
    const ports = { PORT: String(port), PROBE_PORT: String(probePort) }
    const gateway = await startGateway(t, { env: { ...env, ...ports }, folder, flags: ['--config', yaml] })
    await eventually('it is ready', async () => (await boundedFetch(`http://127.0.0.1:${probePort}/health/ready`)).ok)
    return gateway
  }
  let gateway = await start()
  return {
    port,
    probePort,
    get gateway() {
      return gateway
    },
    async restart() {
      gateway.kill('SIGTERM')
      const { code, signal } = await gateway.exit
      assert.deepEqual([code, signal], [0, null], gateway.stdout.slice(-10).join('\n'))
      gateway = await start()
    },
  }
}
