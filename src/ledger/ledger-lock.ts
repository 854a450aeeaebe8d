import { join } from 'node:path'
import { type Lock, tryLock } from '../embedded/lock.ts'
import { LedgerFolderError } from './ledger-folder.ts'

/** Another process appends to this ledger. */
export class LedgerBusyError extends Error {
  constructor(folder: string) {
    super(
      `${folder} is in use by another Weir. Stop that one, or give this one a folder of its own with WEIR_DATA_DIR: ` +
        'two processes cannot append to one ledger.',
    )
    this.name = 'LedgerBusyError'
  }
}

/** A killed process gives it back. Throws LedgerBusyError, and LedgerFolderError where it cannot be locked at all. */
export function lockLedger(folder: string): Lock {
  const lock = tryLedgerLock(folder)
  if (lock === null) throw new LedgerBusyError(folder)
  return lock
}

function tryLedgerLock(folder: string): Lock | null {
  try {
    return tryLock(folder)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LedgerFolderError(
      `The ledger in ${folder} cannot be locked: ${join(folder, 'lock.db')} cannot be used (${reason}).`,
      'Remove that file if no Weir runs on it, and see that the user that Weir runs as may write there.',
    )
  }
}
