/**
 * One process at a time may hold the embedded database. Node has no flock and in containers every process is number 1,
 * so a pid file says nothing; an exclusive transaction of SQLite is a lock of the operating system, and a process that
 * is killed gives it back.
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'

export interface Lock {
  release(): void
}

/** Another process holds the data directory. */
export class DataDirBusyError extends Error {
  constructor(dataDir: string) {
    super(
      `${dataDir} is in use by another Weir. Stop that one, or give this one a folder of its own with WEIR_DATA_DIR, ` +
        'or set DATABASE_URL so that several can share a PostgreSQL.',
    )
    this.name = 'DataDirBusyError'
  }
}

const sqliteBusy = 5
/** A lock that nobody refers to any more would be given back by the garbage collector. */
const held = new Set<DatabaseSync>()

/** The lock of a data directory that exists, or null while another process holds it. */
export function tryLock(dataDir: string): Lock | null {
  const file = join(dataDir, 'lock.db')
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('pragma locking_mode = exclusive; begin exclusive')
    chmodSync(file, 0o600)
    held.add(database)
    return {
      release: () => {
        if (held.delete(database)) database.close()
      },
    }
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return null
    throw error
  }
}

/**
 * Waits for the lock, `patienceMs` at most: a command that opens the database for a second should not keep a server
 * from starting. Throws DataDirBusyError.
 */
export async function acquireLock(dataDir: string, patienceMs: number): Promise<Lock> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const lock = tryLock(dataDir)
    if (lock) return lock
    if (performance.now() >= deadline) throw new DataDirBusyError(dataDir)
    await delay(100)
  }
}
