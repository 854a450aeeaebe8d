import { randomUUID } from 'node:crypto'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Place } from '../domain/limit-share.ts'
import { beat, leave } from '../store/replicas.ts'
import { LivePlace } from './live-place.ts'

export interface PresenceOptions {
  readonly client: Redis
  /** How many replicas to share with while Redis has never said. */
  readonly assumedReplicas: number
  /**
   * Redis has forgotten everything, or has not been told for a while: tells it what runs here, and lets the ledger store what
   * has ended. False where that cannot be done yet; rejects where it fails.
   */
  readonly tell: () => Promise<boolean>
  readonly onTrouble: (reason: string) => void
}

const retryMs = 250
const patienceMs = 6000

/** This replica among the others in Redis: its place, and whether together they have told Redis all that they know. */
export class Presence {
  readonly #options: PresenceOptions
  readonly #replica = randomUUID()
  readonly #place: LivePlace
  #sinceUs = Number.POSITIVE_INFINITY
  /** The epoch in which this replica has told what it knows. */
  #toldIn: string | null = null
  #isComplete = false
  #isTelling = false
  #completing: Promise<void> | null = null
  #absences = 0

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#place = new LivePlace(options.assumedReplicas)
  }

  get place(): Place {
    return this.#place.current
  }

  /** Since when Redis has forgotten nothing, in microseconds since 1970; asks for it. Rejects when Redis does not answer. */
  async findSinceUs(): Promise<number> {
    await this.beat()
    return this.#sinceUs
  }

  /** Rejects when Redis does not answer. */
  async beat(): Promise<void> {
    const { place, epoch, sinceMs, isComplete } = await beat(this.#options.client, this.#replica, this.#toldIn)
    this.#place.note(place, performance.now())
    this.#sinceUs = sinceMs * 1000
    this.#isComplete = isComplete && this.#toldIn === epoch
    if (this.#toldIn !== epoch) void this.#tell(epoch)
  }

  /** For a while Redis has not been told what was going on here. */
  wasAway(): void {
    this.#absences++
    this.#toldIn = null
    this.#isComplete = false
  }

  /** Resolves as soon as all replicas have told Redis what they know; rejects where that takes long. */
  whenComplete(): Promise<void> {
    this.#completing ??= this.#complete().finally(() => {
      this.#completing = null
    })
    return this.#completing
  }

  async leave(): Promise<void> {
    await leave(this.#options.client, this.#replica)
  }

  async #complete(): Promise<void> {
    const endMs = performance.now() + patienceMs
    // Asked in any case: it may have been forgotten a moment ago.
    for (await this.beat(); !this.#isComplete; await this.beat()) {
      if (performance.now() > endMs) throw new Error('other replicas have not told Redis yet what runs there')
      await delay(retryMs)
    }
  }

  async #tell(epoch: string): Promise<void> {
    if (this.#isTelling) return
    this.#isTelling = true
    const absences = this.#absences
    try {
      // What Redis answered before it forgot has been noted by then.
      await nextTurn()
      if ((await this.#options.tell()) && absences === this.#absences) this.#toldIn = epoch
    } catch (error) {
      this.#options.onTrouble(
        `what runs here could not be told: ${error instanceof Error ? error.message : String(error)}`,
      )
    } finally {
      this.#isTelling = false
    }
  }
}
