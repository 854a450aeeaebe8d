/** Opens the database that the configuration names: a PostgreSQL, or the embedded one. */
import { connect as connectSocket, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import postgres, { type Sql } from 'postgres'
import { ensureDataDir } from '../config/data-dir.ts'
import type { Config } from '../config.ts'
import { acquireLock } from '../embedded/lock.ts'
import { openPglite } from '../embedded/pglite.ts'
import { type ClientGeneration, failingSocket, RenewableClient } from './renewable-client.ts'

export interface Database {
  readonly sql: Sql
  readonly isEmbedded: boolean
  /** Those that are open or being opened; null where it is in this process. */
  readonly connections: number | null
  /**
   * Throws away every connection, so that the next call makes a new one: after connections were `closed`, or when the
   * server has gone `silent`, where TCP would go on trying the old address for a quarter of an hour.
   */
  renew(reason: 'closed' | 'silent'): void
  close(): Promise<void>
}

/** How long a start waits for a command that holds the embedded database at the moment. */
const lockPatienceMs = 3000
const closeTimeoutMs = 5000

/** Neither connects nor starts anything before the first call. Throws DataDirBusyError when the folder is in use. */
export async function openDatabase(stores: Pick<Config['stores'], 'databaseUrl' | 'dataDir'>): Promise<Database> {
  return stores.databaseUrl === undefined ? await openEmbedded(stores.dataDir) : openServer(stores.databaseUrl)
}

async function openEmbedded(dataDir: string): Promise<Database> {
  ensureDataDir(dataDir)
  const lock = await acquireLock(dataDir, lockPatienceMs)
  const pglite = openPglite(dataDir)
  const client = new RenewableClient(pglite.makeClient)
  return {
    sql: client.sql,
    isEmbedded: true,
    connections: null,
    renew: reason => {
      // It cannot be silent, only busy, and a new connection would have to wait for the same.
      if (reason === 'closed') client.renew()
    },
    close: async () => {
      try {
        await client.close(closeTimeoutMs)
        await pglite.close()
      } finally {
        lock.release()
      }
    },
  }
}

function openServer(url: string): Database {
  const client = new RenewableClient(() => makeServerClient(url))
  return {
    sql: client.sql,
    isEmbedded: false,
    get connections() {
      return client.connections
    },
    renew: () => client.renew(),
    close: () => client.close(closeTimeoutMs),
  }
}

interface Address {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path?: string | false
}

function makeServerClient(url: string): ClientGeneration {
  const sockets = new Set<Socket>()
  let attempts = 0
  let isRetired = false
  const connect = (address: Address): Duplex => {
    if (isRetired) return failingSocket()
    for (const socket of sockets) if (socket.destroyed) sockets.delete(socket)
    const socket = connectTo(address, attempts++)
    sockets.add(socket)
    return socket
  }
  const options = {
    max: 10,
    // It would ask for the types of arrays when it connects, and in postgres 3.4.9 nobody catches it where that fails: the
    // process would end with the connection. So there are no arrays between here and the database, but JSON.
    fetch_types: false,
    connect_timeout: 5,
    idle_timeout: 300,
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1) * (0.5 + Math.random() / 2),
    connection: { application_name: 'weir' },
    onnotice: () => {},
    socket: connect,
  }
  return {
    sql: postgres(url, options),
    get connections() {
      return sockets.values().reduce((open, socket) => (socket.destroyed ? open : open + 1), 0)
    },
    retire: () => {
      isRetired = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Of several hosts each is tried in turn. */
function connectTo({ host, port, path }: Address, attempt: number): Socket {
  const index = attempt % host.length
  const name = host[index] ?? 'localhost'
  const socket = path ? connectSocket(path) : connectSocket(port[index] ?? 5432, name)
  // A proxy whose server is not up accepts and hangs up. Without an error the client would dial again, at once, for ever.
  socket.once('end', () => {
    if (socket.bytesRead === 0)
      socket.destroy(Object.assign(new Error('hung up before a word'), { code: 'ECONNRESET' }))
  })
  // The client reads the name from here, to check a certificate by.
  return Object.assign(socket, { host: name })
}
