/**
 * The segments that this process has open: the one that grows, and those that wait for their last fsync. What one of them
 * may have lost is written again to another: after a failed fsync or write, and where its file is not at its place any more.
 */
import { rm } from 'node:fs/promises'
import type { DiskPace } from './disk-pace.ts'
import { isGone } from './file-identity.ts'
import { isNoRoom, type LedgerDisk } from './ledger-disk.ts'
import type { LedgerHome } from './ledger-home.ts'
import type { LedgerNotice } from './ledger-notice.ts'
import { type Rescued, type RescueOptions, rescue } from './rescue.ts'
import { type Entry, Segment } from './segment.ts'
import { segmentPath } from './segment-folder.ts'
import type { SegmentLengths } from './segment-lengths.ts'
import type { AppendResult } from './write-queue.ts'

export interface OpenSegmentsOptions extends RescueOptions {
  readonly disk: LedgerDisk
  readonly home: LedgerHome
  readonly segmentBytes: number
  readonly firstNumber: number
  readonly lengths: SegmentLengths
  readonly onNotice: (notice: LedgerNotice) => void
  /** To be written again; gives what became of each. */
  readonly owe: (entries: readonly Entry[]) => Promise<readonly AppendResult[]>
  /** What was in a file that is gone is being written again: whether all of it is. */
  readonly onRescue: (rescued: Promise<AppendResult>) => void
}

export class OpenSegments {
  readonly #options: OpenSegmentsOptions
  /** Each until its file can be closed. */
  readonly #ending = new Map<Segment, Promise<void>>()
  readonly #displaced = new WeakSet<Segment>()
  #next: number
  #active: Segment | null = null
  #writingTo: Segment | null = null
  #distrusted = 0

  constructor(options: OpenSegmentsOptions) {
    this.#options = options
    this.#next = options.firstNumber
  }

  /** The number below which no segment grows any more. */
  get growing(): number {
    return this.#active?.number ?? this.#next
  }

  get unsyncedBytes(): number {
    let bytes = this.#active?.unsyncedBytes ?? 0
    for (const segment of this.#ending.keys()) bytes += segment.unsyncedBytes
    return bytes
  }

  /** A number that changes when something has to be written again. */
  get distrusted(): number {
    return this.#distrusted
  }

  /** Writes to the one that grows, one call at a time. Null where that one has been distrusted meanwhile. */
  async write(writing: (segment: Segment) => Promise<void>): Promise<Segment | null> {
    const segment = await this.#growing()
    this.#writingTo = segment
    try {
      await writing(segment)
      return segment === this.#active ? segment : null
    } finally {
      this.#writingTo = null
      if (segment !== this.#active && !this.#ending.has(segment)) void segment.close()
    }
  }

  /** What `write` has rejected with. */
  writeFailed(error: unknown): void {
    const segment = this.#active
    if (segment === null) return
    if (!isNoRoom(error)) void this.#distrust(segment, error)
    // A file can be too long for its user although the disk has room: the next one is not.
    else if (segment.length > 0) this.#retire(segment)
  }

  async sync(pace: DiskPace): Promise<void> {
    const segment = this.#active
    if (segment) await pace.sync(segment.sync().catch(error => void this.#distrust(segment, error)))
  }

  /** All that has been written is on the disk, or owed again. */
  async settle(): Promise<void> {
    await this.#active?.sync()
    await Promise.all(this.#ending.values())
  }

  /** Resolves when the one that grew is closed, and all others. */
  async end(): Promise<void> {
    if (this.#active) this.#retire(this.#active)
    await Promise.all(this.#ending.values())
  }

  /** Brings what is in files that are not at their place any more to others. */
  async look(): Promise<void> {
    const segment = this.#active
    if (segment !== null && !(await segment.isInPlace())) void this.#displace(segment)
    await Promise.all(this.#ending.values())
  }

  async #growing(): Promise<Segment> {
    const { disk, home, lengths, segmentBytes } = this.#options
    if (this.#active && this.#active.length >= segmentBytes) this.#retire(this.#active)
    if (this.#active) return this.#active
    await home.keep()
    const number = this.#next
    this.#active = await Segment.create(disk, home.folder, number).catch(error => {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') this.#next = number + 1
      throw error
    })
    lengths.set(number, 0)
    this.#next = number + 1
    return this.#active
  }

  /** It gets nothing any more; it stays open until what it has got is on the disk, where it can be found again. */
  #retire(segment: Segment): void {
    if (this.#active === segment) this.#active = null
    const ended = segment.sync().then(
      async () => ((await segment.isInPlace()) ? segment.close() : this.#displace(segment)),
      error => this.#distrust(segment, error),
    )
    this.#ending.set(segment, ended)
    void ended.then(() => this.#ending.delete(segment))
  }

  /** What it may not have on the disk is written to another one; of intents only those that nothing is known of yet. */
  async #distrust(segment: Segment, error: unknown): Promise<void> {
    if (this.#displaced.has(segment)) return
    if (isGone(error)) return this.#displace(segment)
    if (segment !== this.#active && !this.#ending.delete(segment)) return
    if (this.#active === segment) this.#active = null
    if (this.#writingTo !== segment) void segment.close()
    this.#distrusted += 1
    const { home, lengths, onNotice, owe } = this.#options
    if (segment.length === 0) {
      // Where every write fails, each would leave a file.
      lengths.delete(segment.number)
      this.#next = segment.number
      rm(segmentPath(home.folder, segment.number), { force: true }).catch(() => undefined)
    }
    const again = segment.unsynced.filter(entry => this.#isNeeded(entry))
    onNotice({ kind: 'segment_distrusted', segment: segment.number, records: again.length, error })
    void owe(again)
  }

  /** Its file is still there for who has it open, but nobody else finds it, and it goes with this process. */
  async #displace(segment: Segment): Promise<void> {
    if (this.#displaced.has(segment)) return
    this.#displaced.add(segment)
    if (this.#active === segment) this.#active = null
    this.#distrusted += 1
    const reading = rescue(segment, this.#options.lengths.finalsOf(segment.number), this.#options)
    const ended = reading.then(rescued => this.#rescued(segment, rescued))
    this.#ending.set(
      segment,
      ended.then(() => undefined),
    )
    this.#options.onRescue(ended.then(({ written }) => written))
    await ended
  }

  #rescued(segment: Segment, { entries, reason, end, lost }: Rescued): { readonly written: Promise<AppendResult> } {
    const { lengths, onNotice, owe } = this.#options
    const { number, length } = segment
    const tellLost = (why: string, events: number) => {
      const damage = { reason: why, bytes: length - end }
      onNotice({ kind: 'damage', at: { segment: number, offset: end }, damage, keptAs: null, lost: events })
    }
    this.#ending.delete(segment)
    if (this.#writingTo !== segment) void segment.close()
    // Who reads goes on with the next one, where the rest of it will be.
    lengths.delete(number)
    onNotice({ kind: 'segment_displaced', segment: number, records: entries.length })
    if (reason !== null) tellLost(reason, Math.max(1, lost))
    const written = owe(entries).then((results): AppendResult => {
      const refused = entries.filter(({ kind }, index) => kind === 'final' && results[index] === 'full').length
      if (refused > 0) tellLost('its file is gone, and it could not be written again', refused)
      return refused > 0 || lost > 0 ? 'full' : 'written'
    })
    return { written }
  }

  #isNeeded({ kind, id }: Entry): boolean {
    return kind === 'final' || this.#options.openIntents.has(id)
  }
}
