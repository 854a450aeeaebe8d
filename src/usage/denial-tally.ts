/** Requests that limits have refused, as counts by the minute, on their way to the database. */
import { randomUUID } from 'node:crypto'
import type { DenialCount } from '../domain/denial-count.ts'
import type { Limit, LimitSet } from '../domain/limit.ts'

/** Some 10 MB, and some hours of hundreds of callers that are refused all the time. */
const maxCounts = 20_000
const minuteMs = 60_000

export class DenialTally {
  /** Still counted on, by all that they are of. */
  #open = new Map<string, DenialCount>()
  /** Never changed again: some may be in the database already, by a write whose answer was lost. */
  #closed: DenialCount[] = []
  /** How many of the closed ones, from the first on, are being written. */
  #underWay = 0
  readonly #maxCounts: number
  readonly #onDropped: (denials: number) => void

  /** `onDropped` is told of those that were counted and given up, because too many counts waited. */
  constructor(onDropped: (denials: number) => void, most = maxCounts) {
    this.#onDropped = onDropped
    this.#maxCounts = most
  }

  /** One that this limit has refused, at this time in milliseconds since 1970. */
  note({ accountId, keyId, tier }: LimitSet, { name, of }: Limit, nowMs: number): void {
    const minute = nowMs - (nowMs % minuteMs)
    const key = `${minute} ${accountId} ${keyId} ${name} ${of} ${tier}`
    const known = this.#open.get(key)
    if (known !== undefined) {
      known.denials += 1
      return
    }
    if (this.size >= this.#maxCounts) this.#dropOldest()
    this.#open.set(key, {
      ...{ id: randomUUID(), minuteMs: minute, accountId, keyId, tier },
      ...{ limit: name, of, denials: 1 },
    })
  }

  /** Counts that wait. */
  get size(): number {
    return this.#open.size + this.#closed.length
  }

  /**
   * Writes all that has been counted so far, the oldest first, `most` at a time. Rejects with what `write` rejects with; what
   * is not written then is left for the next call. One at a time.
   */
  async write(write: (counts: readonly DenialCount[]) => Promise<void>, most: number): Promise<void> {
    this.#closed.push(...this.#open.values())
    this.#open = new Map()
    // What is noted meanwhile is for the next call.
    while (this.#closed.length > 0) {
      const counts = this.#closed.slice(0, most)
      this.#underWay = counts.length
      try {
        await write(counts)
        this.#closed.splice(0, counts.length)
      } finally {
        this.#underWay = 0
      }
    }
  }

  #dropOldest(): void {
    const [dropped] = this.#closed.splice(this.#underWay, 1)
    if (dropped === undefined) this.#dropOpen()
    else this.#onDropped(dropped.denials)
  }

  #dropOpen(): void {
    const [oldest] = this.#open
    if (oldest === undefined) return
    this.#open.delete(oldest[0])
    this.#onDropped(oldest[1].denials)
  }
}
