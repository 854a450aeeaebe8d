/**
 * What the database has said, by id: of a key by its public id, of an account by who an issuer's token speaks for. An id
 * is looked up once per TTL at most, however many requests bring it; while the database is away its last answer is
 * believed for up to an hour. Ages are counted by a clock that is never set back.
 */
import { LRUCache } from 'lru-cache'

interface Entry<Found> {
  readonly found: Found
  /** When the database was asked: what it said then is as old as that. */
  readonly askedAtMs: number
  readonly freshUntilMs: number
  /** Of the cache when the answer was asked for; a later epoch doubts it. */
  readonly epoch: number
}

type Absence = Pick<Entry<null>, 'freshUntilMs' | 'epoch'>

export interface RecordCacheOptions<Found> {
  readonly ttlMs: number
  /**
   * Looks an id up for a request, by its id, which is the first of those that wait; null where there is nothing. A rejection
   * means that the database cannot say.
   */
  readonly load: (id: string, requestId: string) => Promise<Found | null>
  /** What a record belongs to, so that all that belongs to it can be forgotten at once. */
  readonly groupOf: (found: Found) => string
  /** Milliseconds of a clock that only goes forward. */
  readonly clock?: () => number
}

const maxFound = 50_000
/** Apart from what is there, so that no number of strangers can push out a caller. */
const maxMissing = 10_000
const missingTtlMs = 5000
const staleMs = 60 * 60 * 1000

export class RecordCache<Found extends object> {
  readonly #options: RecordCacheOptions<Found>
  readonly #clock: () => number
  readonly #found: LRUCache<string, Entry<Found>>
  readonly #missing = new LRUCache<string, Absence>({ max: maxMissing })
  readonly #groups = new Map<string, Set<string>>()
  /** A flight that is not here any more was begun before a change: its answer goes to those who wait, and is not kept. */
  readonly #flights = new Map<string, Promise<Found | null>>()
  #epoch = 0
  /** The same for what is not there, which every change may have brought. */
  #missingEpoch = 0

  constructor(options: RecordCacheOptions<Found>) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
    this.#found = new LRUCache({
      max: maxFound,
      dispose: ({ found }, id) => this.#leaveGroup(found, id),
      onInsert: ({ found }, id) => this.#joinGroup(found, id),
    })
  }

  /** The number of ids it knows something about. */
  get size(): number {
    return this.#found.size + this.#missing.size
  }

  /** What is known right now: a record, null for "there is none", undefined for "must be asked". */
  peek(id: string): Found | null | undefined {
    const nowMs = this.#clock()
    const entry = this.#found.get(id)
    if (entry !== undefined) return nowMs < entry.freshUntilMs && entry.epoch === this.#epoch ? entry.found : undefined
    const missing = this.#missing.get(id)
    return missing !== undefined && nowMs < missing.freshUntilMs && missing.epoch === this.#missingEpoch
      ? null
      : undefined
  }

  /** Asks the database, once for all who ask at the same time. Rejects when it cannot say and nothing is remembered. */
  resolve(id: string, requestId: string): Promise<Found | null> {
    const flying = this.#flights.get(id)
    if (flying !== undefined) return flying
    const askedAtMs = this.#clock()
    const isCurrent = () => this.#flights.get(id) === flight
    const flight: Promise<Found | null> = this.#options
      .load(id, requestId)
      .then(
        found => {
          if (isCurrent()) this.#keep(id, found, askedAtMs)
          return found
        },
        error => this.#fallBack(id, error, isCurrent()),
      )
      .finally(() => {
        if (isCurrent()) this.#flights.delete(id)
      })
    this.#flights.set(id, flight)
    return flight
  }

  /** Drops what is known of one id; the next request asks again. */
  forget(id: string): void {
    this.#found.delete(id)
    this.#missing.delete(id)
    this.#flights.delete(id)
  }

  /** Drops all records that belong to something that was changed, and whatever was said not to be there. */
  forgetGroup(group: string): void {
    for (const id of [...(this.#groups.get(group) ?? [])]) this.#found.delete(id)
    this.#missingEpoch += 1
    this.#flights.clear()
  }

  /** Changes may have been missed: everything is asked again, and counts on only while the database cannot say. */
  doubtAll(): void {
    this.#epoch += 1
    this.#missingEpoch += 1
    this.#flights.clear()
  }

  #keep(id: string, found: Found | null, askedAtMs: number): void {
    const { ttlMs } = this.#options
    if (found === null) {
      this.#found.delete(id)
      const freshUntilMs = askedAtMs + Math.min(ttlMs, missingTtlMs)
      this.#missing.set(id, { freshUntilMs, epoch: this.#missingEpoch })
      return
    }
    this.#missing.delete(id)
    this.#found.set(id, { found, askedAtMs, freshUntilMs: askedAtMs + ttlMs, epoch: this.#epoch })
  }

  /** The last answer, where it is not too old; for the next TTL where no change has come in between. */
  #fallBack(id: string, error: unknown, isCurrent: boolean): Found {
    const entry = this.#found.get(id)
    const nowMs = this.#clock()
    if (entry === undefined || nowMs >= entry.askedAtMs + staleMs) throw error
    const freshUntilMs = Math.min(nowMs + this.#options.ttlMs, entry.askedAtMs + staleMs)
    if (isCurrent) this.#found.set(id, { ...entry, freshUntilMs, epoch: this.#epoch })
    return entry.found
  }

  #joinGroup(found: Found, id: string): void {
    const group = this.#options.groupOf(found)
    const ids = this.#groups.get(group)
    if (ids === undefined) this.#groups.set(group, new Set([id]))
    else ids.add(id)
  }

  #leaveGroup(found: Found, id: string): void {
    const group = this.#options.groupOf(found)
    const ids = this.#groups.get(group)
    ids?.delete(id)
    if (ids?.size === 0) this.#groups.delete(group)
  }
}
