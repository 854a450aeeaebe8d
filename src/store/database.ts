/** Opens the database that the configuration names: a PostgreSQL, or the embedded one. */
import { connect as connectSocket, type Socket } from 'node:net'
import postgres, { type Sql } from 'postgres'
import { ensureDataDir } from '../config/data-dir.ts'
import type { Config } from '../config.ts'
import { acquireLock } from '../embedded/lock.ts'
import { openPglite } from '../embedded/pglite.ts'

export interface Database {
  readonly sql: Sql
  readonly isEmbedded: boolean
  /**
   * Throws away every connection, so that the next call makes a new one. Needed where a server vanished without a
   * word: TCP would go on trying the old address for a quarter of an hour.
   */
  dropConnections(): void
  close(): Promise<void>
}

/** How long a start waits for a command that holds the embedded database at the moment. */
const lockPatienceMs = 3000

/** Neither connects nor starts anything before the first call. Throws DataDirBusyError when the folder is in use. */
export async function openDatabase(stores: Config['stores']): Promise<Database> {
  return stores.databaseUrl === undefined ? await openEmbedded(stores.dataDir) : openServer(stores.databaseUrl)
}

async function openEmbedded(dataDir: string): Promise<Database> {
  ensureDataDir(dataDir)
  const lock = await acquireLock(dataDir, lockPatienceMs)
  const { sql, close } = openPglite(dataDir)
  const closeAll = async () => {
    try {
      await close()
    } finally {
      lock.release()
    }
  }
  return { sql, isEmbedded: true, dropConnections: () => {}, close: closeAll }
}

interface Address {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path?: string | false
}

function openServer(url: string): Database {
  const sockets = new Set<Socket>()
  let attempts = 0
  const connect = ({ host, port, path }: Address): Socket => {
    for (const socket of sockets) if (socket.destroyed) sockets.delete(socket)
    const index = attempts++ % host.length
    const name = host[index] ?? 'localhost'
    // The client waits for ever on a factory that throws; a socket that fails later it understands.
    const socket = path ? connectSocket(path) : connectSocket(port[index] ?? 5432, name)
    sockets.add(socket)
    return Object.assign(socket, { host: name })
  }
  const options = {
    max: 10,
    connect_timeout: 5,
    idle_timeout: 300,
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1) * (0.5 + Math.random() / 2),
    connection: { application_name: 'weir' },
    onnotice: () => {},
    socket: connect,
  }
  const sql = postgres(url, options)
  return {
    sql,
    isEmbedded: false,
    dropConnections: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () => sql.end({ timeout: 5 }),
  }
}
