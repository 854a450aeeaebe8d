import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { onEnd } from './cleanup.ts'
import { within } from './inbox.ts'
import { startReaper } from './reaper.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A gateway as its operator runs it: a process of its own, known by its signals, its log and its ports. */
export interface GatewayProcess {
  readonly url: string
  /** Of the second listener; undefined without INTERNAL_PORT. */
  readonly internalUrl: string | undefined
  readonly pid: number
  /** Its own working directory, a fresh one unless given; `.weir` is made in it. */
  readonly folder: string
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** stdout's lines that are JSON. */
  logs(): Record<string, unknown>[]
  kill(signal?: NodeJS.Signals): void
  /** Rejects when it still runs 60 s after a signal that should end it: longer than any grace of the tests. */
  readonly exit: Promise<Exit>
}

export interface GatewayOptions {
  env?: Record<string, string>
  flags?: string[]
  /** A folder that outlives the process, for tests that start a second one on the same data. */
  folder?: string
  /** Arguments for node itself, before the program. */
  nodeFlags?: string[]
  /** Another program with the same log contract. */
  program?: string
  /** Another Node than the one that runs the test. */
  node?: string
  /** Whom it runs as, where that is not the test's own user. */
  owner?: { readonly uid: number; readonly gid: number } | undefined
  withinMs?: number
}

const MAX_LAST_WORDS_MS = 1_000
const MAX_STOP_MS = 60_000
/** On loopback, without a minimum drain, and without the flood guard: tests ask more in a minute than any caller, and much of it is wrong. */
const quiet = {
  HOST: '127.0.0.1',
  PORT: '0',
  LOG_LEVEL: 'info',
  FLOOD_GUARD_REQUESTS: '0',
  FLOOD_GUARD_FAILURES: '0',
  // No balancer stands before most of them.
  MIN_DRAIN: '0s',
  // Half of a start is compiling; who measures one turns it off by NODE_DISABLE_COMPILE_CACHE.
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/compile', import.meta.url)),
}
const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

/** Starts a gateway on a free port and waits until its log says `listening`. It is killed when the test ends. */
export async function startGateway(t: TestContext, options: GatewayOptions = {}): Promise<GatewayProcess> {
  const { gateway, listening } = await spawnGateway(t, options)
  const { withinMs = 30_000 } = options
  const failed = gateway.exit.then(({ code, signal }) => {
    throw new Error(`the gateway ended (${code ?? signal}) before it listened:\n${describe(gateway)}`)
  })
  // Later exits are the test's business.
  failed.catch(() => undefined)
  const started = Promise.race([listening, failed])
  const { url, internalUrl } = await within(
    started,
    withinMs,
    () => `the gateway did not listen within ${withinMs} ms:\n${describe(gateway)}`,
  )
  return Object.assign(gateway, { url, internalUrl })
}

/** For a gateway that is expected to refuse to start: what it said and how it ended. */
export async function runGateway(t: TestContext, options: GatewayOptions = {}): Promise<Exit & { output: string }> {
  const { gateway } = await spawnGateway(t, options)
  const { withinMs = 30_000 } = options
  const exit = await within(
    gateway.exit,
    withinMs,
    () => `the gateway still runs after ${withinMs} ms:\n${describe(gateway)}`,
  )
  return { ...exit, output: describe(gateway) }
}

/** Whoever asks for the end and waits for it waits no longer than that. */
function boundedStop(child: ChildProcess, gone: Promise<Exit>, saying: () => string) {
  const asked = Promise.withResolvers<NodeJS.Signals>()
  const overdue = asked.promise.then(async signal => {
    const describe = () => `the gateway still runs ${MAX_STOP_MS} ms after ${signal}:\n${saying()}`
    return await within(gone, MAX_STOP_MS, describe)
  })
  const exit = Promise.race([gone, overdue])
  // It is for whoever waits.
  exit.catch(() => undefined)
  const kill = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    asked.resolve(signal)
  }
  return { kill, exit }
}

interface Addresses {
  url: string
  internalUrl: string | undefined
}

async function spawnGateway(
  t: TestContext,
  { env = {}, flags = [], nodeFlags = [], program = SERVER, node = process.execPath, ...given }: GatewayOptions,
): Promise<{ gateway: GatewayProcess; listening: Promise<Addresses> }> {
  const folder = given.folder ?? (await mkdtemp(join(tmpdir(), 'weir-test-gateway-')))
  if (given.folder === undefined) onEnd(t, () => rm(folder, { recursive: true, force: true }))
  const child = spawn(node, [...nodeFlags, program, ...flags], {
    cwd: folder,
    ...given.owner,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of the machine's own settings: a DATABASE_URL or NODE_OPTIONS in a shell must not decide a test.
    env: { PATH: process.env['PATH'], HOME: folder, ...quiet, ...env },
  })
  const gone = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
    // Output is whole at `close`; a grandchild that holds the pipes open must not hide that the gateway has gone.
    child.once('exit', (code, signal) => setTimeout(() => resolve({ code, signal }), MAX_LAST_WORDS_MS).unref())
  })
  const pid = child.pid ?? 0
  // Should the test file itself be killed, the gateway goes too; a folder that was given stays.
  const callOffReaper = pid === 0 ? () => undefined : startReaper(pid, given.folder === undefined ? folder : undefined)
  void gone.then(callOffReaper, callOffReaper)
  onEnd(t, async () => {
    child.kill('SIGKILL')
    await gone
  })
  const stderr: string[] = []
  createInterface({ input: child.stderr }).on('line', line => stderr.push(line))
  const stdout: string[] = []
  const listening = new Promise<Addresses>(resolve => {
    createInterface({ input: child.stdout }).on('line', line => {
      stdout.push(line)
      const addresses = findAddresses(line)
      if (addresses !== undefined) resolve(addresses)
    })
  })
  const gateway: GatewayProcess = {
    url: '',
    internalUrl: undefined,
    pid,
    folder,
    stdout,
    stderr,
    logs: () => stdout.map(parseLog).filter(log => log !== undefined),
    ...boundedStop(child, gone, () => describe(gateway)),
  }
  return { gateway, listening }
}

/** The line that says so: `{"msg":"listening","url":"http://…","internalUrl":"http://…"}`. */
function findAddresses(line: string): Addresses | undefined {
  const log = parseLog(line)
  const { msg, url, internalUrl } = log ?? {}
  if (typeof msg !== 'string' || !msg.includes('listening') || typeof url !== 'string') return undefined
  return { url, internalUrl: typeof internalUrl === 'string' ? internalUrl : undefined }
}

function parseLog(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function describe({ stdout, stderr }: GatewayProcess): string {
  return [...stdout.slice(-30), ...stderr.slice(-30)].join('\n')
}
