import type { UsageEvent } from '../domain/usage-event.ts'
import { isUnreadable } from './ledger-disk.ts'
import { isIntentFrame, parseRecord, type Unreadable } from './ledger-record.ts'
import { type LedgerPosition, readSegment, segmentPath } from './segment-folder.ts'

export interface BatchBounds {
  readonly maxRecords: number
  /** Of the records as they lie on the disk; one that is longer comes alone. */
  readonly maxBytes: number
}

/** Some finals, in the order in which they were written. */
export interface LedgerBatch {
  readonly events: readonly UsageEvent[]
  readonly unreadable: readonly Unreadable[]
  /** Where the next one begins. */
  readonly end: LedgerPosition
}

export function sizeOf({ events, unreadable }: LedgerBatch): number {
  return events.length + unreadable.length
}

export interface ReaderDamage {
  readonly at: LedgerPosition
  readonly end: number
  readonly reason: string
  /** Finals of the same segment that have been handed out. */
  readonly handedOut: number
}

export interface LedgerReaderOptions {
  readonly folder: string
  readonly start: LedgerPosition
  /** In bytes, of what is there to be read of each segment. */
  readonly lengths: ReadonlyMap<number, number>
  /** The first segment that may still grow. */
  readonly growing: () => number
  /** Bytes from a place to the end of what there is cannot be read; it goes on behind them. */
  readonly onDamage: (damage: ReaderDamage) => Promise<void>
}

/** Walks through the segments once. It holds one batch and no file. */
export class LedgerReader {
  readonly #options: LedgerReaderOptions
  #at: LedgerPosition
  /** Of the segment it is in. */
  #handedOut = 0

  constructor(options: LedgerReaderOptions) {
    this.#options = options
    this.#at = options.start
  }

  /** Null where nothing is left. Rejects where a segment cannot be opened for a reason that may pass. */
  async next(bounds: BatchBounds): Promise<LedgerBatch | null> {
    const batch = new Collected(bounds)
    while (!batch.isFull) {
      const at = this.#nextPlace(this.#at)
      if (at === null) break
      if (at.segment !== this.#at.segment) this.#handedOut = 0
      this.#at = at
      await this.#readOn(at, batch)
    }
    return batch.isEmpty ? null : { events: batch.events, unreadable: batch.unreadable, end: this.#at }
  }

  /** The same place or a later one, where there is something to read. */
  #nextPlace(at: LedgerPosition): LedgerPosition | null {
    const { lengths, growing } = this.#options
    if (at.offset < (lengths.get(at.segment) ?? 0)) return at
    if (at.segment >= growing()) return null
    const later = [...lengths].flatMap(([number, length]) => (number > at.segment && length > 0 ? [number] : []))
    return later.length === 0 ? null : { segment: Math.min(...later), offset: 0 }
  }

  async #readOn({ segment, offset }: LedgerPosition, batch: Collected): Promise<void> {
    const { folder, lengths, onDamage } = this.#options
    const length = lengths.get(segment) ?? 0
    let reason: string | null = null
    try {
      for await (const { frames, damage } of readSegment(segmentPath(folder, segment), offset, length)) {
        for (const frame of frames) {
          const isFinal = !isIntentFrame(frame)
          if (isFinal && !batch.add(parseRecord(frame), frame.end - frame.start)) return
          if (isFinal) this.#handedOut += 1
          this.#at = { segment, offset: frame.end }
        }
        reason = damage
      }
    } catch (error) {
      if (!isUnreadable(error)) throw error
      reason = error.message
    }
    if (reason === null) return
    await onDamage({ at: this.#at, end: length, reason, handedOut: this.#handedOut })
    this.#at = { segment, offset: length }
  }
}

class Collected {
  readonly events: UsageEvent[] = []
  readonly unreadable: Unreadable[] = []
  readonly #bounds: BatchBounds
  #bytes = 0
  #isFull = false

  constructor(bounds: BatchBounds) {
    this.#bounds = bounds
  }

  get isFull(): boolean {
    return this.#isFull
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  get #count(): number {
    return this.events.length + this.unreadable.length
  }

  /** False where it does not fit any more. */
  add(record: ReturnType<typeof parseRecord>, bytes: number): boolean {
    const isTooLong = this.#count > 0 && this.#bytes + bytes > this.#bounds.maxBytes
    this.#isFull = isTooLong || this.#count >= this.#bounds.maxRecords
    if (this.#isFull) return false
    if (record.kind === 'final') this.events.push(record.event)
    if (record.kind === 'unreadable') this.unreadable.push({ reason: record.reason, text: record.text })
    this.#bytes += bytes
    return true
  }
}
