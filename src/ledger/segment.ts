import type { LedgerDisk, LedgerFile } from './ledger-disk.ts'
import { readOpened, segmentPath } from './segment-folder.ts'

/** A record on its way to the disk. */
export interface Entry {
  readonly kind: 'intent' | 'final'
  readonly id: string
  readonly frame: Buffer
}

/**
 * One file that is being appended to. It remembers what it has been given since its last good fsync: after a failed one
 * nobody knows what is on the disk, and the kernel may have dropped the pages and call the next fsync good ("Can
 * Applications Recover from fsync Failures?", Rebello and others, USENIX ATC 2020).
 */
export class Segment {
  readonly number: number
  readonly #disk: LedgerDisk
  readonly #folder: string
  readonly #file: LedgerFile
  #length = 0
  #unsynced: Entry[] = []
  #unsyncedBytes = 0
  #isNameSynced = false
  #syncing: Promise<void> = Promise.resolve()
  /** A failed write has left bytes behind the last whole record. */
  #isRagged = false

  private constructor(disk: LedgerDisk, folder: string, { number, file }: { number: number; file: LedgerFile }) {
    this.#disk = disk
    this.#folder = folder
    this.number = number
    this.#file = file
  }

  static async create(disk: LedgerDisk, folder: string, number: number): Promise<Segment> {
    return new Segment(disk, folder, { number, file: await disk.create(segmentPath(folder, number)) })
  }

  /** In bytes, of whole records. */
  get length(): number {
    return this.#length
  }

  get unsynced(): readonly Entry[] {
    return this.#unsynced
  }

  get unsyncedBytes(): number {
    return this.#unsyncedBytes
  }

  /** Whether its file is still where it was made; where nobody can say, it is. */
  async isInPlace(): Promise<boolean> {
    return await this.#file.isAt(segmentPath(this.#folder, this.number)).catch(() => true)
  }

  /** What it has got so far, wherever its file is now; it must not be closed meanwhile. */
  read(): ReturnType<typeof readOpened> {
    return readOpened(this.#file, 0, this.#length)
  }

  /** All of them, or it rejects and none is in the file: a request that was refused must not be found there later. */
  async write(entries: readonly Entry[], isInThread: boolean): Promise<void> {
    const bytes = Buffer.concat(entries.map(({ frame }) => frame))
    if (this.#isRagged) await this.#trim()
    try {
      for (let written = 0; written < bytes.length; ) {
        written += await this.#file.write(bytes.subarray(written), this.#length + written, isInThread)
      }
    } catch (error) {
      this.#isRagged = true
      // Where this fails too it is tried again before the next write; the first error is the one to tell.
      await this.#trim().catch(() => undefined)
      throw error
    }
    this.#length += bytes.length
    this.#unsynced.push(...entries)
    this.#unsyncedBytes += bytes.length
  }

  /**
   * Everything written before the call is on the disk, or it rejects, and then so does every later call: fsync is not tried
   * again on the same descriptor.
   */
  sync(): Promise<void> {
    const next = this.#syncing.then(() => this.#syncNow())
    this.#syncing = next
    return next
  }

  async #syncNow(): Promise<void> {
    const count = this.#unsynced.length
    await this.#file.sync()
    if (!this.#isNameSynced) await this.#disk.syncFolder(this.#folder)
    this.#isNameSynced = true
    const synced = this.#unsynced.splice(0, count)
    this.#unsyncedBytes -= synced.reduce((sum, { frame }) => sum + frame.length, 0)
  }

  async #trim(): Promise<void> {
    await this.#file.truncate(this.#length)
    this.#isRagged = false
  }

  async close(): Promise<void> {
    // What there was to lose was lost, or not, by fsync.
    await this.#file.close().catch(() => undefined)
  }
}
