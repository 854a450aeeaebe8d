import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { signalTree } from './process-tree.ts'
import { startReaper } from './reaper.ts'

/** A server of our own that a test may stop, kill or freeze. It keeps its port and its data over a restart. */
export interface Daemon {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly folder: string
  /** Gives what it prints from now on, also after a restart. */
  onOutput(listener: (text: string) => void): void
  /** Orderly stop; the data stays. */
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
  callOffReaper: () => void
}

const MAX_START_MS = 60_000
const MAX_OUTPUT_CHARS = 4_000

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const listeners: ((text: string) => void)[] = []
  const onOutput = (text: string) => {
    for (const listener of listeners) listener(text)
  }
  const { port, first } = await startOnFreePort(options, onOutput)
  let running: Running | undefined = first
  let pid = first.pid
  async function end(deliver: (pid: number) => void): Promise<void> {
    if (running === undefined) return
    const { exited, callOffReaper, ...gone } = running
    running = undefined
    deliver(gone.pid)
    await exited
    callOffReaper()
  }
  const kill = () => end(it => signalTree(it, 'SIGKILL'))
  return {
    url: options.url(port),
    port,
    folder: options.folder,
    get pid() {
      return pid
    },
    onOutput: listener => void listeners.push(listener),
    stop: () => end(it => process.kill(it, options.stopSignal)),
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
  const exited = new Promise(resolve => child.once('close', resolve))
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
    child.kill('SIGKILL')
  }, MAX_START_MS)
  const callOffReaper = child.pid === undefined ? () => undefined : startReaper(child.pid, options.folder)
  try {
    await ready
  } catch (error) {
    callOffReaper()
    throw error
  } finally {
    clearTimeout(deadline)
  }
  return { child, pid: child.pid ?? 0, exited, callOffReaper }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
