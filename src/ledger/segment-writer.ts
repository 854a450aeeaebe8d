/**
 * Appends records to segments, in the order in which they were given.
 *
 * What comes in one turn of the event loop is handed to the kernel together, by one write(2) in the main thread: that is a
 * copy into memory, and no other thread has to be woken up first (bench/README.md). Where the disk does not keep up, write(2)
 * waits for it: for the journal, for pages under writeback, for dirty pages to become fewer, and every stream of the gateway
 * would wait as well. So as soon as one write or fsync takes long, writes are made in libuv's threads, one at a time, until
 * the disk has been well for a second: then only those wait whose records they are.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DiskPace } from './disk-pace.ts'
import { GroupSync } from './group-sync.ts'
import { OpenSegments, type OpenSegmentsOptions } from './open-segments.ts'
import type { Entry, Segment } from './segment.ts'
import { canWrite } from './space-probe.ts'
import { WriteBlockage } from './write-blockage.ts'
import { type AppendResult, type Batch, WriteQueue } from './write-queue.ts'

/** What has not been written and synced is held in memory, in case it must be written again. */
const maxHeldBytes = 10 * 1024 * 1024
/** The rest is for finals of what has been accepted. */
const maxHeldForIntentsBytes = 8 * 1024 * 1024

export interface SegmentWriterOptions extends Omit<OpenSegmentsOptions, 'owe' | 'openIntents'> {
  /** Which segment has the intent of those that have no final; kept up to date. */
  readonly openIntents: Map<string, number>
  readonly onWritten: (finals: number) => void
  /** Called when writing has stopped working and when it works again. */
  readonly onBlocked: () => void
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions
  readonly #queue = new WriteQueue()
  readonly #segments: OpenSegments
  readonly #blockage: WriteBlockage
  readonly #pace = new DiskPace()
  readonly #groupSync: GroupSync
  #pumping: Promise<void> | null = null
  #looking: Promise<void> | null = null
  #isClosed = false

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    this.#segments = new OpenSegments({ ...options, owe: entries => this.#owe(entries) })
    this.#groupSync = new GroupSync(() => this.#segments.sync(this.#pace))
    this.#blockage = new WriteBlockage({
      // What waits is tried as it is; where nothing does, the next intent should not have to find out.
      mayWork: async () => !this.#queue.isEmpty || (await this.#canWrite()),
      retry: () => (this.#queue.isEmpty ? this.#blockage.lift() : this.#start()),
      onChange: options.onBlocked,
    })
  }

  get blockage(): Pick<WriteBlockage, 'reason' | 'first'> {
    return this.#blockage
  }

  /** The number below which no segment grows any more. */
  get growing(): number {
    return this.#segments.growing
  }

  /** A final waits while nothing can be written, unless too many do; an intent is refused then. */
  append(entry: Entry): Promise<AppendResult> {
    const isIntent = entry.kind === 'intent'
    const bound = isIntent ? maxHeldForIntentsBytes : maxHeldBytes
    if (
      this.#isClosed ||
      (isIntent && this.#blockage.reason !== null) ||
      this.#queue.bytes + this.#segments.unsyncedBytes + entry.frame.length > bound
    ) {
      return Promise.resolve('full')
    }
    return new Promise(settle => {
      this.#queue.add({ entry, settle })
      this.#start()
    })
  }

  /** Writes intents once more, those that are still open when their turn comes. Resolves when they are on the disk. */
  async carry(entries: readonly Entry[]): Promise<void> {
    const { distrusted } = this.#segments
    const results = this.#isClosed ? (['full'] as const) : await this.#owe(entries)
    if (results.includes('full')) throw new Error('the ledger is closed')
    await this.#segments.settle()
    if (distrusted !== this.#segments.distrusted) throw new Error('an fsync failed meanwhile')
  }

  /**
   * Looks whether the files are where they were put, and writes again what is in those that are not. Where the folder is gone
   * and cannot be made again, nothing is taken until it can.
   */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  /** Writes what is waiting, if it can be written; what cannot is refused. Nothing is written afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#groupSync.stop()
    this.#blockage.stop()
    await this.#looking
    await this.#pumping
    await this.#segments.end()
    // One that fails leaves records that are owed, in another segment.
    await this.#pumping
    await this.#segments.end()
    this.#queue.refuseAll()
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return
    await this.#segments.look()
    await this.#options.home.keep().catch(error => this.#block(error))
  }

  async #canWrite(): Promise<boolean> {
    const { disk, home } = this.#options
    const isKept = await home.keep().then(
      () => true,
      () => false,
    )
    return isKept && (await canWrite(disk, home.folder))
  }

  #owe(entries: readonly Entry[]): Promise<readonly AppendResult[]> {
    const results = entries.map(entry => {
      const { promise, resolve } = Promise.withResolvers<AppendResult>()
      this.#queue.owe([{ entry, settle: resolve }])
      return promise
    })
    this.#start()
    return Promise.all(results)
  }

  #start(): void {
    if (!this.#blockage.isPausing) this.#pumping ??= this.#pump()
  }

  async #pump(): Promise<void> {
    for (let isGood = true; isGood; ) {
      // What is given in the same turn goes together, and others have their turn between two writes.
      await nextTurn()
      this.#queue.forgive(entry => entry.kind === 'final' || this.#options.openIntents.has(entry.id))
      const batch = this.#queue.take()
      if (batch === null) break
      isGood = await this.#write(batch)
    }
    this.#pumping = null
  }

  async #write(batch: Batch): Promise<boolean> {
    try {
      const entries = batch.items.map(({ entry }) => entry)
      const segment = await this.#segments.write(to => this.#pace.write(() => to.write(entries, this.#pace.isSlow)))
      if (segment === null) this.#queue.putBack(batch)
      else this.#written(segment, batch)
      return true
    } catch (error) {
      this.#queue.putBack(batch)
      this.#segments.writeFailed(error)
      this.#block(error)
      return false
    }
  }

  #written(segment: Segment, { items }: Batch): void {
    const { lengths, openIntents, onWritten } = this.#options
    lengths.set(segment.number, segment.length)
    let finals = 0
    for (const { entry, settle } of items) {
      if (entry.kind === 'intent') openIntents.set(entry.id, segment.number)
      else {
        openIntents.delete(entry.id)
        finals += 1
      }
      settle('written')
    }
    lengths.addFinals(segment.number, finals)
    this.#groupSync.soon()
    this.#blockage.lift()
    onWritten(finals)
  }

  #block(error: unknown): void {
    this.#queue.refuseIntents()
    if (this.#blockage.reason === null) this.#options.onNotice({ kind: 'write_failed', error })
    this.#blockage.block(error)
  }
}
