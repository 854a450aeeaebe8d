import { rm } from 'node:fs/promises'
import { isGone } from './file-identity.ts'
import type { LedgerNotice } from './ledger-notice.ts'
import { encodeIntent } from './ledger-record.ts'
import { type OpenIntents, readOpenIntents } from './open-intents.ts'
import { segmentPath } from './segment-folder.ts'
import type { SegmentWriter } from './segment-writer.ts'

export interface SweeperOptions {
  readonly folder: string
  readonly lengths: Map<number, number>
  readonly openIntents: OpenIntents
  readonly writer: SegmentWriter
  readonly onNotice: (notice: LedgerNotice) => void
}

/**
 * Deletes segments whose finals are all stored. An intent in one that still has no final, as of a stream that runs for long,
 * is first written once more: otherwise one request could keep all that came after it from being deleted.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  #sweeping: Promise<void> | null = null

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** Resolves when no sweep is running. */
  get idle(): Promise<void> {
    return this.#sweeping ?? Promise.resolve()
  }

  /** All segments before this one, which the cursor on the disk is beyond. One sweep at a time; the next one does the rest. */
  sweep(before: number): Promise<void> {
    this.#sweeping ??= this.#sweep(before)
      .catch(error => this.#options.onNotice({ kind: 'sweep_failed', error }))
      .finally(() => {
        this.#sweeping = null
      })
    return this.#sweeping
  }

  async #sweep(before: number): Promise<void> {
    const { folder, lengths, openIntents, writer } = this.#options
    const stored = [...lengths.keys()].filter(number => number < before).sort((a, b) => a - b)
    for (const segment of stored) {
      if (openIntents.values().some(number => number === segment)) {
        // What cannot be written now would be waited for; the others make room.
        if (writer.blockage.reason !== null) continue
        await this.#carry(segment).catch(error => {
          // It was removed under this process: there is nothing left to carry from it.
          if (!isGone(error)) throw error
        })
      }
      await rm(segmentPath(folder, segment), { force: true })
      lengths.delete(segment)
    }
  }

  async #carry(segment: number): Promise<void> {
    const { folder, lengths, openIntents, writer } = this.#options
    const place = { segment, length: lengths.get(segment) ?? 0 }
    for await (const intents of readOpenIntents(folder, place, openIntents)) {
      await writer.carry(
        intents.map(intent => ({ kind: 'intent' as const, id: intent.id, frame: encodeIntent(intent) })),
      )
    }
  }
}
