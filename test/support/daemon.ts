import { type ChildProcess, spawn } from 'node:child_process'
import { realpath, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { happens, within } from './inbox.ts'
import { processesIn, signalIfThere, signalTree } from './process-tree.ts'
import { startReaper } from './reaper.ts'

/** A server of our own that a test may stop, kill or freeze. It keeps its port and its data over a restart. */
export interface Daemon {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly folder: string
  /** Gives what it prints from now on, also after a restart. */
  onOutput(listener: (text: string) => void): void
  /** Orderly stop; the data stays. One that takes longer than 30 s is killed, and an error. */
  stop(): Promise<void>
  /** kill -9 of the server and all its processes. */
  kill(): Promise<void>
  /** After stop or kill: the same port, the same data. */
  start(): Promise<void>
  /** SIGSTOP: the kernel still accepts connections, nothing answers. */
  freeze(): void
  thaw(): void
  /** Stops for good and removes the folder. */
  remove(): Promise<void>
}

export interface DaemonOptions {
  name: string
  folder: string
  command: string
  args: (port: number) => string[]
  /** What the server prints when it accepts connections. */
  readyText: string
  stopSignal: NodeJS.Signals
  url: (port: number) => string
  owner?: { uid: number; gid: number } | undefined
  env?: Readonly<Record<string, string>>
}

interface Running {
  child: ChildProcess
  pid: number
  exited: Promise<unknown>
  /** Also nobody holds its pipes any more. */
  closed: Promise<true>
  callOffReaper: () => void
}

const MAX_START_MS = 60_000
const MAX_STOP_MS = 30_000
const MAX_KILL_MS = 15_000
const MAX_OUTPUT_CHARS = 4_000

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const listeners: ((text: string) => void)[] = []
  const onOutput = (text: string) => {
    for (const listener of listeners) listener(text)
  }
  const { port, first } = await startOnFreePort(options, onOutput)
  let running: Running | undefined = first
  let pid = first.pid
  function take(): Running | undefined {
    const taken = running
    running = undefined
    return taken
  }
  async function kill(): Promise<void> {
    const taken = take()
    if (taken !== undefined) await killAll(taken, options)
  }
  async function stop(): Promise<void> {
    const taken = take()
    if (taken === undefined) return
    signalIfThere(taken.pid, options.stopSignal)
    try {
      await within(taken.exited, MAX_STOP_MS, () => `${options.name} did not stop within ${MAX_STOP_MS} ms: killed`)
    } finally {
      await killAll(taken, options)
    }
  }
  return {
    url: options.url(port),
    port,
    folder: options.folder,
    get pid() {
      return pid
    },
    onOutput: listener => void listeners.push(listener),
    stop,
    kill,
    async start() {
      running ??= await launch(options, port, onOutput)
      pid = running.pid
    },
    freeze: () => signalTree(pid, 'SIGSTOP'),
    thaw: () => signalTree(pid, 'SIGCONT'),
    async remove() {
      // Not the orderly way: nobody wants the data, and a frozen server would not hear another signal.
      await kill()
      await rm(options.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

/** Between finding a port free and taking it another process may take it: then another port. */
type OnOutput = (text: string) => void

async function startOnFreePort(options: DaemonOptions, onOutput: OnOutput): Promise<{ port: number; first: Running }> {
  for (let attemptsLeft = 3; ; attemptsLeft -= 1) {
    const port = await findFreePort()
    try {
      return { port, first: await launch(options, port, onOutput) }
    } catch (error) {
      if (attemptsLeft === 0 || !String(error).includes('Address already in use')) throw error
    }
  }
}

async function launch(options: DaemonOptions, port: number, onOutput: OnOutput): Promise<Running> {
  const child = spawn(options.command, options.args(port), {
    cwd: options.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options.owner,
    // The caller's PG* and LC_* variables are none of this server's business.
    env: { PATH: process.env['PATH'], LC_ALL: 'C', ...options.env },
  })
  const exited = new Promise(resolve => child.once('exit', resolve))
  const closed = new Promise<true>(resolve => child.once('close', () => resolve(true)))
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  let output = ''
  const listen = (bytes: Buffer) => {
    onOutput(bytes.toString())
    output = (output + bytes.toString()).slice(-MAX_OUTPUT_CHARS)
    if (output.includes(options.readyText)) resolve()
  }
  // The pipes must be read as long as the server lives: a full one would block it.
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.once('error', reject)
  child.once('close', (code, signal) => reject(new Error(`${options.name} ended (${code ?? signal}):\n${output}`)))
  const deadline = setTimeout(() => {
    reject(new Error(`${options.name} was not ready after ${MAX_START_MS} ms:\n${output}`))
  }, MAX_START_MS)
  const { pid } = child
  if (pid === undefined) {
    clearTimeout(deadline)
    await ready
    throw new Error(`${options.name} has no process`)
  }
  const running = { child, pid, exited, closed, callOffReaper: startReaper(pid, options.folder) }
  try {
    await ready
  } catch (error) {
    await killAll(running, options)
    throw error
  } finally {
    clearTimeout(deadline)
  }
  return running
}

/**
 * Returns when no process of the server is left. The tree is a snapshot: the server is stopped first, so that it starts
 * nobody in the meantime, and who is missed even so (a child whose parent has gone, on a lock that nobody will release) is
 * found by where it works.
 */
async function killAll({ child, pid, closed, callOffReaper }: Running, { name, folder }: DaemonOptions): Promise<void> {
  const workplace = await realpath(folder)
  // Until its exit is known the pid is its own.
  if (child.exitCode === null && child.signalCode === null) {
    signalIfThere(pid, 'SIGSTOP')
    signalTree(pid, 'SIGKILL')
  }
  const deadlineMs = performance.now() + MAX_KILL_MS
  // Mostly that was all, and to look through all processes would hold up the clients of a test.
  for (let isOver = await Promise.race([closed, sleep(100, false)]); !isOver; ) {
    const left = processesIn(workplace)
    for (const member of left) signalIfThere(member, 'SIGKILL')
    isOver = (await Promise.race([closed, sleep(20, false)])) && left.length === 0
    if (!isOver && performance.now() > deadlineMs)
      throw new Error(
        `${name} is not gone ${MAX_KILL_MS} ms after kill -9; in its folder: ${left.join(', ') || 'nobody'}`,
      )
  }
  callOffReaper()
}

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await happens(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await happens(server, 'close')
  return port
}
