/** How a command comes to its operations: through the server that runs, else with the database in its own hand. */
import { setTimeout as delay } from 'node:timers/promises'
import { type CommandOperations, commandOperationsOver, performCommand } from '../admin/command-operations.ts'
import { buildOperations } from '../admin/operations.ts'
import type { Config } from '../config.ts'
import type { Change } from '../domain/change.ts'
import { DataDirBusyError } from '../embedded/lock.ts'
import { loadPeppers } from '../embedded/pepper.ts'
import { sendChanges } from '../store/change-feed.ts'
import { type Database, openDatabase } from '../store/database.ts'
import { withDeadline } from '../store/deadline.ts'
import { ensureSchema } from '../store/ensure-schema.ts'
import { checkPeppers } from '../store/peppers.ts'
import { connectControl } from './client.ts'

export interface Session {
  readonly operations: CommandOperations
  close(): Promise<void>
}

/** A server that starts holds the database for seconds before it listens to commands. */
const patienceMs = 20_000
const openTimeoutMs = 60_000

/** Throws DataDirBusyError when the database is held by something that does not answer, and what opening it throws. */
export async function openSession(config: Pick<Config, 'stores' | 'auth' | 'tiers'>): Promise<Session> {
  const { stores } = config
  const endsAtMs = performance.now() + patienceMs
  for (;;) {
    const control = await connectControl(stores.dataDir)
    if (control) return { operations: control.operations, close: async () => control.close() }
    try {
      return await openDirectly(config, await openDatabase(stores))
    } catch (error) {
      if (!(error instanceof DataDirBusyError) || performance.now() >= endsAtMs) throw error
      await delay(200)
    }
  }
}

async function openDirectly(config: Parameters<typeof openSession>[0], database: Database): Promise<Session> {
  try {
    const { sql, isEmbedded } = database
    const peppers = loadPeppers(config)
    await withDeadline(sql`select 1`, openTimeoutMs)
    await withDeadline(ensureSchema(sql, isEmbedded ? 'always' : config.stores.migrate), openTimeoutMs)
    await checkPeppers(sql, peppers)
    const changes: Change[] = []
    const announceChange = (change: Change) => void changes.push(change)
    const operations = buildOperations({ sql, peppers, tiers: () => config.tiers, announceChange })
    return {
      operations: commandOperationsOver((name, input) => performCommand(operations, name, input)),
      close: async () => {
        // Servers elsewhere may share the database. Whom this does not reach asks again within auth.keyCacheTtl.
        if (config.stores.redisUrl !== undefined) await sendChanges(config.stores.redisUrl, changes)
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
