/**
 * The durable way of usage records: intents and finals are appended here, and finals read from here to be stored.
 *
 * - A record whose append has resolved with `written` has been handed to the kernel: it survives whatever kills this process.
 *   An fsync follows within 10 ms and nobody waits for it: a power cut takes that much, more where the disk is slower.
 * - What is written may be handed out more than once, after a crash or a failed fsync: records have ids, and who stores them
 *   takes each id once.
 * - An intent that has no final when the next process starts gets one from `toUnknown`, which is a record like any other.
 * - Memory does not grow with what waits on the disk: what is not yet synced (10 MiB at most), one batch, and an id for each
 *   request that runs.
 */
import type { UsageEvent, UsageIntent } from '../domain/usage-event.ts'
import { Arrivals } from './arrivals.ts'
import { writeCursor } from './cursor.ts'
import { isNoRoom, type LedgerDisk, nodeDisk } from './ledger-disk.ts'
import { LedgerHome } from './ledger-home.ts'
import type { LedgerLevel, LedgerMarks } from './ledger-level.ts'
import type { LedgerNotice } from './ledger-notice.ts'
import { type BatchBounds, type LedgerBatch, LedgerReader, type ReaderDamage, sizeOf } from './ledger-reader.ts'
import { encodeFinal, encodeIntent } from './ledger-record.ts'
import { LevelWatch } from './level-watch.ts'
import { finishAll } from './open-intents.ts'
import { PendingFinals } from './pending-finals.ts'
import { quarantineTail } from './quarantine.ts'
import { type Replayed, replay } from './replay.ts'
import { isBehind, type LedgerPosition } from './segment-folder.ts'
import type { SegmentLengths } from './segment-lengths.ts'
import { SegmentWriter } from './segment-writer.ts'
import { Sweeper } from './sweeper.ts'
import type { AppendResult } from './write-queue.ts'

const defaultSegmentBytes = 8 * 1024 * 1024

export interface SpoolOptions {
  /** Made where it is not there; nobody else may use it. */
  readonly folder: string
  readonly marks: LedgerMarks
  /** The final event of an intent that an earlier process did not live to finish. */
  readonly toUnknown: (intent: UsageIntent) => UsageEvent
  readonly onNotice: (notice: LedgerNotice) => void
  readonly segmentBytes?: number
  readonly disk?: LedgerDisk
}

export class Spool {
  readonly folder: string
  /** Of finals. */
  readonly written = new Arrivals()
  readonly #options: SpoolOptions
  readonly #home: LedgerHome
  readonly #lengths: SegmentLengths
  readonly #openIntents: Map<string, number>
  readonly #writer: SegmentWriter
  readonly #reader: LedgerReader
  readonly #level: LevelWatch
  readonly #sweeper: Sweeper
  readonly #pending = new PendingFinals()
  #stored: LedgerPosition
  #waiting: number
  #handedOut = 0
  #acknowledging: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(
    options: SpoolOptions,
    home: LedgerHome,
    { cursor, next, lengths, openIntents, waiting }: Replayed,
  ) {
    const { folder, marks, onNotice, disk = nodeDisk, segmentBytes = defaultSegmentBytes } = options
    this.folder = folder
    this.#options = options
    this.#home = home
    this.#lengths = lengths
    this.#openIntents = openIntents
    this.#stored = cursor
    this.#waiting = waiting
    this.#level = new LevelWatch({
      marks,
      onLook: () => this.#writer.look(),
      freeBytes: () => disk.freeBytes(folder),
      spoolBytes: () => this.bytes,
      blockage: () => this.#writer.blockage.reason,
      onChange: (level, reason) => onNotice({ kind: 'level', level, reason }),
    })
    this.#writer = new SegmentWriter({
      disk,
      home,
      segmentBytes,
      firstNumber: next,
      lengths,
      openIntents,
      isStored: at => isBehind(at, this.#stored),
      onRescue: rescued => void this.#pending.add(rescued),
      onWritten: finals => this.#onWritten(finals),
      onNotice,
      onBlocked: () => this.#level.update(),
    })
    this.#reader = new LedgerReader({
      folder,
      start: cursor,
      lengths,
      growing: () => this.#writer.growing,
      onDamage: damage => this.#onDamage(damage),
    })
    this.#sweeper = new Sweeper({ folder, lengths, openIntents, writer: this.#writer, onNotice })
  }

  /**
   * Takes the folder and reads what is there: afterwards intents of an earlier process have their final, or will have it
   * once there is room. Rejects with LedgerBusyError, and with LedgerFolderError where the folder is none of a ledger.
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { folder, onNotice } = options
    const home = await LedgerHome.take(folder, onNotice)
    let spool: Spool | null = null
    try {
      spool = new Spool(options, home, await replay(folder, onNotice))
      await spool.#level.look()
      const finishing = spool.#finishOrphans()
      await Promise.race([finishing, spool.#writer.blockage.first])
      finishing.catch(error => onNotice({ kind: 'unknown_failed', error }))
      return spool
    } catch (error) {
      await spool?.close()
      await home.release()
      throw error
    }
  }

  get level(): LedgerLevel {
    return this.#level.level
  }

  /** On the disk, of all segments. */
  get bytes(): number {
    return this.#lengths.bytes
  }

  /** Finals that have not been acknowledged. */
  get waiting(): number {
    return this.#waiting
  }

  /** Intents without a final: the requests that run. */
  get open(): number {
    return this.#openIntents.size
  }

  /**
   * To be awaited before anything is sent to a backend. `full`: it is not kept, and the request should be refused. Throws a
   * RangeError where the record is too long.
   */
  async appendIntent(intent: UsageIntent): Promise<AppendResult> {
    if (this.level === 'full') return 'full'
    return this.#writer.append({ kind: 'intent', id: intent.id, frame: encodeIntent(intent) })
  }

  /**
   * Resolves when it is written; while nothing can be, it waits. `full`: so many wait already that it is not kept, and its
   * intent is finished as unknown by the next process. Throws a RangeError where the record is too long.
   */
  async appendFinal(event: UsageEvent): Promise<AppendResult> {
    return this.#pending.add(this.#writer.append({ kind: 'final', id: event.id, frame: encodeFinal(event) }))
  }

  /** Waits for the finals that have been given so far: where they end, and whether all of them are written. */
  async whenAppended(): Promise<{ readonly end: LedgerPosition; readonly isWhole: boolean }> {
    const isWhole = await this.#pending.settled()
    const segment = this.#writer.growing
    return { end: { segment, offset: this.#lengths.get(segment) ?? 0 }, isWhole }
  }

  /** The finals after those that were handed out last; null where there are none. One call at a time. */
  async next(bounds: BatchBounds): Promise<LedgerBatch | null> {
    const written = this.written.count
    const batch = await this.#reader.next(bounds)
    this.#handedOut += batch === null ? 0 : sizeOf(batch)
    // Counted before they were lost in a damaged segment.
    if (batch === null && written === this.written.count) this.#waiting = this.#handedOut
    return batch
  }

  /**
   * A batch, and so all before it, has been stored, and is not handed out again by a later process. Rejects where the disk
   * does not take the cursor; it can be called again.
   */
  acknowledge(batch: LedgerBatch): Promise<void> {
    const next = this.#acknowledging.then(() => this.#acknowledge(batch))
    this.#acknowledging = next.catch(() => undefined)
    return next
  }

  /** Writes what waits, and gives the folder back. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#level.stop()
    await this.#acknowledging
    await this.#writer.close()
    await this.#sweeper.idle
    await this.#home.release()
  }

  async #acknowledge(batch: LedgerBatch): Promise<void> {
    if (this.#isClosed) throw new Error(`the ledger in ${this.folder} is closed`)
    const position = this.#beyond(batch.end)
    try {
      await writeCursor(this.folder, position)
    } catch (error) {
      if (!isNoRoom(error)) throw error
      // Deleting makes the room. After a crash in between segments would seem to be missing that are stored.
      await this.#sweeper.sweep(position.segment)
      await writeCursor(this.folder, position)
    }
    this.#stored = position
    this.#waiting -= sizeOf(batch)
    this.#handedOut -= sizeOf(batch)
    void this.#sweeper.sweep(position.segment).then(() => this.#level.update())
  }

  /** At the end of a segment that does not grow any more: the beginning of the next one, so that it can go. */
  #beyond({ segment, offset }: LedgerPosition): LedgerPosition {
    const isRead = segment < this.#writer.growing && offset >= (this.#lengths.get(segment) ?? 0)
    return isRead ? { segment: segment + 1, offset: 0 } : { segment, offset }
  }

  #onWritten(finals: number): void {
    this.#level.update()
    this.#waiting += finals
    this.written.add(finals)
  }

  async #onDamage({ at, end, reason, handedOut }: ReaderDamage): Promise<void> {
    // Where the file is not at its place, what is in it may be on its way to another one.
    await this.#writer.look()
    if (!this.#lengths.has(at.segment)) return
    const keptAs = await quarantineTail(this.folder, at, end, reason).catch(() => null)
    const lost = Math.max(1, this.#lengths.finalsOf(at.segment) - handedOut)
    this.#options.onNotice({ kind: 'damage', at, damage: { reason, bytes: end - at.offset }, keptAs, lost })
  }

  async #finishOrphans(): Promise<void> {
    const { onNotice, toUnknown } = this.#options
    const finish = async (intent: UsageIntent) => (await this.appendFinal(toUnknown(intent))) === 'written'
    const events = await finishAll(this.folder, { lengths: this.#lengths, open: this.#openIntents }, finish)
    if (events > 0) onNotice({ kind: 'unknown', events })
  }
}
