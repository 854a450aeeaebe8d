import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { policyOf, unknownEvent } from '../domain/unknown-usage.ts'
import { openDatabase } from '../store/database.ts'
import { withDeadline } from '../store/deadline.ts'
import { ensureSchema } from '../store/ensure-schema.ts'
import { insertUsageEvents, isPoison } from '../store/usage-events.ts'
import { Flusher } from './flusher.ts'
import { insistOnLedger } from './ledger-folder.ts'
import { textOf } from './notice-text.ts'
import { Spool } from './spool.ts'

export interface ReplayOutcome {
  readonly stored: number
  readonly quarantined: number
  /** Still in the folder: the database did not take them in time. */
  readonly left: number
}

type Say = (message: string) => void

const storeTimeoutMs = 10_000
const openTimeoutMs = 60_000
const replayTimeoutMs = 600_000

/**
 * Stores what waits in a ledger's folder, without a server: ten minutes long at most. `say` is told what is worth knowing.
 * Rejects with LedgerFolderError where there is no ledger, with LedgerBusyError where a server has it, before the database is
 * asked for anything; and where that cannot be opened.
 */
export async function replayLedger(
  { stores, ledger }: Pick<Config, 'stores' | 'ledger'>,
  folder: string,
  say: Say,
): Promise<ReplayOutcome> {
  await insistOnLedger(folder)
  const { highBytes, fullBytes, highFreeBytes, fullFreeBytes, unknown } = ledger
  const spool = await Spool.open({
    folder,
    marks: { highBytes, fullBytes, highFreeBytes, fullFreeBytes },
    toUnknown: intent => unknownEvent(intent, policyOf(unknown)),
    onNotice: notice => say(textOf(notice, folder)),
  })
  const done = await storeAll(spool, stores, say).finally(() => spool.close())
  return { ...done, left: spool.waiting }
}

async function storeAll(spool: Spool, stores: Config['stores'], say: Say): Promise<Omit<ReplayOutcome, 'left'>> {
  const database = await openDatabase(stores)
  try {
    const { sql, isEmbedded } = database
    await withDeadline(sql`select 1`, openTimeoutMs)
    await withDeadline(ensureSchema(sql, isEmbedded ? 'always' : stores.migrate), openTimeoutMs)
    return await flushAll(spool, sql, say)
  } finally {
    await database.close()
  }
}

async function flushAll(spool: Spool, sql: Sql, say: Say): Promise<Omit<ReplayOutcome, 'left'>> {
  let stored = 0
  let quarantined = 0
  const flusher = new Flusher({
    spool,
    store: async events => void (await insertUsageEvents(sql, events, storeTimeoutMs)),
    isPoison,
    onProgress: progress => {
      stored += progress.stored
      quarantined += progress.quarantined
    },
    onFailure: (error, tries) => {
      if (tries === 1) say(`not stored yet: ${error instanceof Error ? error.message : String(error)}`)
    },
  })
  await flusher.flush(replayTimeoutMs)
  flusher.stop()
  return { stored, quarantined }
}
