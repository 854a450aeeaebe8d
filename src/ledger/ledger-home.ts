import { join } from 'node:path'
import type { Lock } from '../embedded/lock.ts'
import { identityAt } from './file-identity.ts'
import { makeLedgerFolder } from './ledger-folder.ts'
import { lockLedger } from './ledger-lock.ts'
import type { LedgerNotice } from './ledger-notice.ts'

type Tell = (notice: LedgerNotice) => void

const lockPath = (folder: string) => join(folder, 'lock.db')

/**
 * The folder of a ledger, which is this process's as long as it holds the lock in it. Somebody may remove or rename it
 * meanwhile: then it is made again, and locked again, before anything is written.
 */
export class LedgerHome {
  readonly folder: string
  readonly #onNotice: Tell
  #lock: Lock
  #identity: string | null
  #keeping: Promise<void> | null = null

  private constructor(folder: string, held: { lock: Lock; identity: string | null }, onNotice: Tell) {
    this.folder = folder
    this.#lock = held.lock
    this.#identity = held.identity
    this.#onNotice = onNotice
  }

  /** Makes the folder where it is not there. Throws LedgerBusyError, and LedgerFolderError where it is none of a ledger. */
  static async take(folder: string, onNotice: Tell): Promise<LedgerHome> {
    return new LedgerHome(folder, await hold(folder), onNotice)
  }

  /** Takes it anew where it is not the one that was taken. Rejects as `take` does. */
  keep(): Promise<void> {
    this.#keeping ??= this.#keep().finally(() => {
      this.#keeping = null
    })
    return this.#keeping
  }

  /** Nothing may call `keep` afterwards. */
  async release(): Promise<void> {
    // It would take the lock after it was given back.
    await this.#keeping?.catch(() => undefined)
    this.#lock.release()
  }

  async #keep(): Promise<void> {
    if ((await identityAt(lockPath(this.folder))) === this.#identity) return
    const { lock, identity } = await hold(this.folder)
    this.#lock.release()
    this.#lock = lock
    this.#identity = identity
    this.#onNotice({ kind: 'folder_taken_anew', folder: this.folder })
  }
}

async function hold(folder: string): Promise<{ lock: Lock; identity: string | null }> {
  await makeLedgerFolder(folder)
  const lock = lockLedger(folder)
  return { lock, identity: await identityAt(lockPath(folder)) }
}
