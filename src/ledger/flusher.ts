/**
 * Brings finals from the spool to where they are stored, a batch at a time. It never gives up: what fails is tried again, and
 * a row that can never be stored goes to quarantine.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { UsageEvent } from '../domain/usage-event.ts'
import type { BatchBounds, LedgerBatch } from './ledger-reader.ts'
import { type QuarantinedRow, quarantineRows } from './quarantine.ts'
import { isBehind, type LedgerPosition } from './segment-folder.ts'
import type { Spool } from './spool.ts'

const bounds: BatchBounds = { maxRecords: 500, maxBytes: 1024 * 1024 }
/** Finals that come meanwhile go with the same batch. */
const lingerMs = 100
const firstBackoffMs = 50
const maxBackoffMs = 5000

export interface FlushProgress {
  readonly stored: number
  readonly quarantined: number
  /** Finals that are still to be stored. */
  readonly waiting: number
  /** How long ago the oldest request of the batch ended. */
  readonly lagMs: number
}

export interface FlusherOptions {
  readonly spool: Spool
  /**
   * Stores all of them or rejects; takes each id once, however often it comes. To be bounded in time by whoever gives it:
   * nothing else is stored meanwhile.
   */
  readonly store: (events: readonly UsageEvent[]) => Promise<void>
  /** Whether a rejection is about what is in the rows, so that it would come again. */
  readonly isPoison: (error: unknown) => boolean
  readonly onProgress: (progress: FlushProgress) => void
  /** Something has failed, for the n-th time in a row, and will be tried again. */
  readonly onFailure: (error: unknown, tries: number) => void
}

export class Flusher {
  readonly #options: FlusherOptions
  readonly #stopping = new AbortController()
  /** Aborted for whoever lingers while there is a hurry. */
  #hurry = new AbortController()
  #acknowledged: LedgerPosition = { segment: 0, offset: 0 }
  #step = Promise.withResolvers<void>()

  constructor(options: FlusherOptions) {
    this.#options = options
    void this.#run()
  }

  /**
   * Stores the finals that have been given to the spool so far, also those that are not yet written, for so long at most.
   * Gives whether the store has all of them, but for those that it can never take. The rest is for the next process.
   */
  async flush(withinMs: number): Promise<boolean> {
    this.#hurry.abort()
    try {
      return await this.#storeGiven(withinMs)
    } finally {
      this.#hurry = new AbortController()
    }
  }

  async #storeGiven(withinMs: number): Promise<boolean> {
    const { spool } = this.#options
    const late = delay(withinMs, null, { ref: false })
    const given = await Promise.race([spool.whenAppended(), late])
    if (given === null) return false
    // What comes meanwhile is not waited for: under load something always waits.
    while (spool.waiting > 0 && isBehind(this.#acknowledged, given.end)) {
      if ((await Promise.race([this.#step.promise, late])) === null) return false
    }
    return given.isWhole
  }

  /** Nothing is acknowledged any more. What is being stored will be handed out again by the next process. */
  stop(): void {
    this.#stopping.abort()
  }

  async #run(): Promise<void> {
    const { spool } = this.#options
    while (!this.#stopping.signal.aborted) {
      const seen = spool.written.count
      const batch = await this.#persist(() => spool.next(bounds))
      if (batch) await this.#flush(batch)
      this.#step.resolve()
      this.#step = Promise.withResolvers()
      if (batch === null) await this.#untilWritten(seen)
    }
  }

  async #untilWritten(seen: number): Promise<void> {
    const { signal } = this.#stopping
    const { promise: isWoken, resolve } = Promise.withResolvers<void>()
    const wake = () => resolve()
    // Taken off again: this signal lives as long as the process, which waits some times a second.
    signal.addEventListener('abort', wake, { once: true })
    this.#options.spool.written.since(seen).then(wake, wake)
    await isWoken
    signal.removeEventListener('abort', wake)
    await this.#pause(lingerMs, this.#hurry.signal)
  }

  async #flush(batch: LedgerBatch): Promise<void> {
    const { spool, onProgress } = this.#options
    const bad = await this.#storeSound(batch.events)
    if (bad === undefined) return
    bad.push(...batch.unreadable.map(({ reason, text }) => ({ reason, row: text })))
    if (bad.length > 0) await this.#persist(() => quarantineRows(spool.folder, bad, Date.now()))
    await this.#persist(() => spool.acknowledge(batch))
    if (this.#stopping.signal.aborted) return
    this.#acknowledged = batch.end
    const ended = batch.events.map(({ atMs, totalMs }) => atMs + totalMs)
    onProgress({
      stored: batch.events.length + batch.unreadable.length - bad.length,
      quarantined: bad.length,
      waiting: spool.waiting,
      lagMs: ended.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...ended)),
    })
  }

  /** Gives those that cannot be stored, found by halving; undefined where it was stopped. */
  async #storeSound(events: readonly UsageEvent[]): Promise<QuarantinedRow[] | undefined> {
    const bad: QuarantinedRow[] = []
    const parts = [events]
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (part.length === 0) continue
      const rows = part
      const poison = await this.#persist(() => this.#findPoison(rows))
      if (poison === undefined) return undefined
      if (poison === null) continue
      const half = Math.ceil(rows.length / 2)
      if (rows.length === 1) bad.push({ reason: poison, row: rows[0] })
      else parts.push(rows.slice(half), rows.slice(0, half))
    }
    return bad
  }

  /** What is wrong with one of them; null where all are stored. */
  async #findPoison(events: readonly UsageEvent[]): Promise<string | null> {
    try {
      await this.#options.store(events)
      return null
    } catch (error) {
      if (!this.#options.isPoison(error)) throw error
      return error instanceof Error ? error.message : String(error)
    }
  }

  /**
   * Until it works, with full jitter between tries ("Exponential Backoff And Jitter", M. Brooker, AWS, 2015); undefined where
   * it was stopped before.
   */
  async #persist<T>(action: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 1; !this.#stopping.signal.aborted; tries += 1) {
      try {
        return await action()
      } catch (error) {
        this.#options.onFailure(error, tries)
        await this.#pause(Math.random() * Math.min(maxBackoffMs, firstBackoffMs * 2 ** tries))
      }
    }
    return undefined
  }

  async #pause(ms: number, hurry?: AbortSignal): Promise<void> {
    const signals = [this.#stopping.signal, ...(hurry ? [hurry] : [])]
    await delay(ms, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined)
  }
}
