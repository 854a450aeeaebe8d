/**
 * PostgreSQL inside the process: PGlite in a worker thread, spoken to through the same `postgres` client as a server.
 * The worker starts with the first query and again when it has died. PGlite has one session, so the client has one
 * connection. What was committed survives a killed process; PGlite never calls fsync, so it may not survive a power cut.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import postgres from 'postgres'
import { type ClientGeneration, failingSocket } from '../store/renewable-client.ts'
import type { FromWorker, ToWorker, WorkerOptions } from './pglite-protocol.ts'
import { WireSocket } from './wire-socket.ts'

class PgliteThread {
  readonly #worker: Worker
  readonly #sockets = new Map<number, WireSocket>()
  #connections = 0
  #ready: boolean = false
  #dead: boolean = false
  #waiting: ToWorker[] = []

  constructor(databaseDir: string) {
    const workerData: WorkerOptions = { databaseDir }
    this.#worker = new Worker(new URL('./pglite-worker.ts', import.meta.url), { workerData, name: 'pglite' })
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', error => this.#die(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => this.#die(new Error('the embedded database stopped')))
  }

  get isDead(): boolean {
    return this.#dead
  }

  /**
   * A new connection. With its first word the session starts over, and what the last one asked for is answered to nobody; one
   * that is there only to cancel something has none.
   */
  connect(): WireSocket {
    this.#connections += 1
    const connection = this.#connections
    let hasBegun = false
    const socket = new WireSocket({
      send: bytes => {
        if (!hasBegun) this.#post({ kind: 'reset' })
        hasBegun = true
        this.#post({ kind: 'wire', connection, bytes })
      },
      gone: () => this.#sockets.delete(connection),
    })
    this.#sockets.set(connection, socket)
    return socket
  }

  async close(): Promise<void> {
    if (this.#dead) return
    const exited = once(this.#worker, 'exit')
    // While it is being made or opened there is nothing in it to lose, and waiting takes seconds.
    if (this.#ready) this.#post({ kind: 'close' })
    else void this.#worker.terminate()
    await exited
  }

  #post(message: ToWorker): void {
    if (this.#dead) return
    if (!this.#ready) this.#waiting.push(message)
    else this.#worker.postMessage(message, message.kind === 'wire' ? [message.bytes.buffer as ArrayBuffer] : [])
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'ready': {
        this.#ready = true
        const waiting = this.#waiting
        this.#waiting = []
        for (const entry of waiting) this.#post(entry)
        return
      }
      case 'wire':
        if (message.bytes.length > 0) this.#sockets.get(message.connection)?.push(Buffer.from(message.bytes.buffer))
        return
      case 'failed':
        this.#die(new Error(`the embedded database cannot be opened: ${message.message}`))
        return
      case 'closed':
        return
      default:
        message satisfies never
    }
  }

  #die(error: Error): void {
    this.#dead = true
    this.#waiting = []
    for (const socket of this.#sockets.values()) socket.destroy(Object.assign(error, { code: 'CONNECTION_CLOSED' }))
  }
}

export interface Pglite {
  /** Makes a client; of several the one that connected last has the session. */
  makeClient(): ClientGeneration
  /** Ends the database, whose files are then at rest. The client has to be closed first. */
  close(): Promise<void>
}

/** Opens the database in `<dataDir>/db`. Takes no lock: see store/database.ts. */
export function openPglite(dataDir: string): Pglite {
  let thread: PgliteThread | null = null
  const connect = (): WireSocket => {
    if (!thread || thread.isDead) thread = new PgliteThread(join(dataDir, 'db'))
    return thread.connect()
  }
  return {
    makeClient: () => makeClient(connect),
    close: async () => {
      await thread?.close()
    },
  }
}

function makeClient(connect: () => WireSocket): ClientGeneration {
  const sockets = new Set<WireSocket>()
  let isRetired = false
  const options = {
    // The environment of the process (PGHOST …) and its user name say nothing about this database.
    host: 'embedded',
    port: 5432,
    user: 'postgres',
    database: 'postgres',
    password: '',
    ssl: false,
    max: 1,
    // The first connection waits for the database to be made, which takes seconds on a slow machine.
    connect_timeout: 60,
    max_lifetime: null,
    // As for any other database; see src/store/database.ts.
    fetch_types: false,
    backoff: () => 0.2,
    onnotice: () => {},
    socket: () => {
      if (isRetired) return failingSocket()
      const socket = connect()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
  return {
    sql: postgres(options),
    connections: 1,
    retire: () => {
      isRetired = true
      for (const socket of sockets) socket.destroy()
    },
  }
}
