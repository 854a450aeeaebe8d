/** A gateway before a PostgreSQL of its own, and callers who remember which of their requests were answered. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import postgres from 'postgres'
import { Agent } from 'undici'
import { boundedFetch } from './bounded-fetch.ts'
import { onEnd } from './cleanup.ts'
import type { Daemon } from './daemon.ts'
import { llamaServer } from './engines.ts'
import { eventually } from './eventually.ts'
import type { Behaviour } from './exchange.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { adminKey } from './gateway.ts'
import { type GatewayProcess, startGateway } from './gateway-process.ts'
import { startPostgres } from './postgres-server.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'
import { createDatabase } from './services.ts'
import { makeTempDir } from './temp-dir.ts'

const pepper = 'test-pepper-0123456789-0123456789-0123'

export interface LedgerWorldOptions {
  readonly behaviour?: Behaviour
  /** What else weir.yaml says. */
  readonly more?: object
  readonly prices?: readonly object[]
  /** Of the backend. */
  readonly slots?: number
  /** A PostgreSQL of its own, for what the shared one must not suffer. */
  readonly isAlone?: boolean
  /** The gateway's folder; `.weir` in it has the ledger. */
  readonly folder?: string
  readonly env?: Readonly<Record<string, string>>
  /** For node itself. */
  readonly nodeFlags?: string[]
  /** The way from the gateway to its database goes through `proxy`. */
  readonly isProxied?: boolean
}

export interface StoredUsage {
  readonly request_id: string
  readonly status: string
  readonly error: string | null
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost_nano_usd: number
  readonly price_version: string | null
  readonly backend: string | null
}

export interface LedgerWorld {
  readonly backend: ScriptedBackend
  /** Of a world that is not alone this fails. */
  readonly postgres: Daemon
  readonly proxy: FaultProxy
  readonly folder: string
  readonly ledgerFolder: string
  readonly gateway: GatewayProcess
  /** The ids of requests that were answered with 200. */
  readonly answered: readonly string[]
  /** Starts the gateway, again where it has ended. */
  start(): Promise<void>
  kill(): Promise<void>
  /** What its weir.yaml says from now on. */
  configure(options: Pick<LedgerWorldOptions, 'more' | 'prices'>): void
  /** The status of one embedding; 0 where no answer came. */
  embed(key?: string): Promise<number>
  /** The sum of a metric's values. */
  metric(name: string): Promise<number>
  /** A new account of this tier, and a key of it. */
  key(tier: string): Promise<string>
  query<Row extends object>(text: string): Promise<readonly Row[]>
  stored(): Promise<readonly StoredUsage[]>
  /** Waits until nothing waits, and insists that what was answered is stored, each once, and adds up. */
  assertAllStored(withinMs?: number): Promise<void>
}

/** What the scripted backend says of an embedding of one text. */
const tokensOfEmbedding = 2

export async function startLedgerWorld(t: TestContext, options: LedgerWorldOptions = {}): Promise<LedgerWorld> {
  const { behaviour = llamaServer({ dimensions: 4 }), isAlone = false, folder = makeTempDir(t), env = {} } = options
  const { slots = 1000, nodeFlags = [] } = options
  const backend = await startScriptedBackend(t, behaviour)
  const own = isAlone ? await startPostgres(t) : null
  const adminUrl = own?.url ?? (await createDatabase(t))
  const ownerUrl = own === null ? adminUrl : await makeOwner(own)
  const proxy = options.isProxied === true ? await startFaultProxy(t, { url: ownerUrl }) : null
  const databaseUrl = Object.assign(new URL(ownerUrl), proxy === null ? {} : { port: String(proxy.port) }).href
  const file = join(folder, 'weir.yaml')
  const configure: LedgerWorld['configure'] = ({ more = {}, prices = [] }) => {
    writeFileSync(`${file}.new`, yamlOf({ url: backend.url, slots }, more, prices))
    renameSync(`${file}.new`, file)
  }
  configure(options)
  const allEnv = { DATABASE_URL: databaseUrl, WEIR_KEY_PEPPER: pepper, WEIR_ADMIN_KEY: adminKey, ...env }
  let gateway = await startGateway(t, { folder, env: allEnv, nodeFlags })
  await untilReady(gateway.url)
  const agent = new Agent({ connections: 64, pipelining: 1, bodyTimeout: 30_000, headersTimeout: 30_000 })
  onEnd(t, () => agent.destroy())
  const answered: string[] = []
  const ask = askerWith(agent, () => gateway.url)
  const query = queryWith(adminUrl)
  const world: LedgerWorld = {
    backend,
    get postgres() {
      assert.ok(own, 'it has a PostgreSQL of its own')
      return own
    },
    get proxy() {
      assert.ok(proxy, 'it is proxied')
      return proxy
    },
    folder,
    ledgerFolder: join(folder, '.weir', 'ledger'),
    get gateway() {
      return gateway
    },
    answered,
    async start() {
      gateway = await startGateway(t, { folder, env: allEnv, nodeFlags })
      await untilReady(gateway.url)
    },
    async kill() {
      gateway.kill('SIGKILL')
      await gateway.exit
    },
    configure,
    async embed(key = adminKey) {
      const { status, requestId } = await ask('/v1/embeddings', { model: 'tinychat', input: 'hi' }, key)
      if (status === 200) answered.push(requestId)
      return status
    },
    metric: name => readMetric(gateway.url, name),
    async key(tier) {
      const account = `account of ${tier}`
      await ask('/admin/accounts', { name: account, tier }, adminKey)
      const { text } = await ask('/admin/keys', { account, name: account }, adminKey)
      return (JSON.parse(text) as { key: string }).key
    },
    query,
    stored: () =>
      query<StoredUsage>(`select request_id, status, error, input_tokens::float, output_tokens::float,
        cost_nano_usd::float, price_version, backend from usage_events order by id`),
    async assertAllStored(withinMs = 60_000) {
      const isEmpty = async () => (await readMetric(gateway.url, 'weir_ledger_waiting')) === 0
      await eventually('nothing waits', isEmpty, { withinMs, everyMs: 200 })
      const events = await world.stored()
      assertSame(events, answered)
    },
  }
  return world
}

function assertSame(events: readonly StoredUsage[], answered: readonly string[]): void {
  const ids = new Set(events.map(({ request_id }) => request_id))
  assert.equal(ids.size, events.length, 'none is there twice')
  const missing = answered.filter(id => !ids.has(id))
  assert.deepEqual(missing, [], `none of ${answered.length} is lost`)
  const done = events.filter(({ status }) => status === 'ok')
  assert.deepEqual(new Set(done.map(({ request_id }) => request_id)), new Set(answered), 'and no other was answered')
  const tokens = done.reduce((sum, { input_tokens }) => sum + input_tokens, 0)
  assert.equal(tokens, answered.length * tokensOfEmbedding)
}

function yamlOf(backend: object, more: object, prices: readonly object[]): string {
  return JSON.stringify({
    backends: { main: { engine: 'llama-server', ...backend } },
    models: { tinychat: { endpoints: ['chat', 'embeddings'], targets: [{ backend: 'main' }], prices } },
    ...more,
  })
}

/** The gateway is no superuser there: those are let in when nobody else is. */
async function makeOwner({ url }: Daemon): Promise<string> {
  const query = queryWith(url)
  await query(`create role gateway login password 'gateway'`)
  await query('alter database postgres owner to gateway')
  return Object.assign(new URL(url), { username: 'gateway', password: 'gateway' }).href
}

function askerWith(agent: Agent, url: () => string) {
  return async (path: string, body: object, key: string) => {
    try {
      const answer = await agent.request({
        origin: url(),
        path,
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      return { status: answer.statusCode, requestId: String(answer.headers['x-request-id']), text }
    } catch {
      return { status: 0, requestId: '', text: '' }
    }
  }
}

/** On a connection of its own, so that it works whatever became of the server meanwhile. */
function queryWith(url: string): LedgerWorld['query'] {
  return async <Row extends object>(text: string) => {
    const sql = postgres(url, { max: 1, onnotice: () => undefined })
    try {
      return await sql.unsafe<Row[]>(text)
    } finally {
      await sql.end({ timeout: 1 })
    }
  }
}

async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await boundedFetch(`${url}/metrics`, { headers: { connection: 'close' } })).text()
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(match => Number(match[1]))
  return values.reduce((sum, value) => sum + value, 0)
}

async function untilReady(url: string): Promise<void> {
  const isReady = async () =>
    (await boundedFetch(`${url}/health/ready`, { headers: { connection: 'close' } })).status === 200
  await eventually('it is ready', isReady, { withinMs: 30_000, everyMs: 20 })
}
