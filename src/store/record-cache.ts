/**
 * What the database has said, by id: of a key by its public id, of an account by who an issuer's token speaks for. An id
 * is looked up once per TTL at most, however many requests bring it; while the database is away its last answer is
 * believed for up to an hour.
 */
import { LRUCache } from 'lru-cache'

interface Entry<Found> {
  readonly found: Found | null
  /** Believed until then without asking. */
  readonly freshUntilMs: number
  /** When the database last said so. */
  readonly learntAtMs: number
}

export interface RecordCacheOptions<Found> {
  readonly ttlMs: number
  /** Looks an id up; null where there is nothing. A rejection means that the database cannot say. */
  readonly load: (id: string) => Promise<Found | null>
}

const maxFound = 50_000
/** Apart from what is there, so that no number of strangers can push out a caller. */
const maxMissing = 10_000
const missingTtlMs = 5000
const staleMs = 60 * 60 * 1000

export class RecordCache<Found extends object> {
  readonly #ttlMs: number
  readonly #load: RecordCacheOptions<Found>['load']
  readonly #found = new LRUCache<string, Entry<Found>>({ max: maxFound })
  readonly #missing = new LRUCache<string, Entry<Found>>({ max: maxMissing })
  readonly #flights = new Map<string, Promise<Found | null>>()
  /** Counts what was forgotten: an answer asked for before must not be kept after. */
  #generation = 0

  constructor({ ttlMs, load }: RecordCacheOptions<Found>) {
    this.#ttlMs = ttlMs
    this.#load = load
  }

  /** The number of ids it knows something about. */
  get size(): number {
    return this.#found.size + this.#missing.size
  }

  /** What is known right now: a record, null for "there is none", undefined for "must be asked". */
  peek(id: string, nowMs: number): Found | null | undefined {
    const entry = this.#found.get(id) ?? this.#missing.get(id)
    return entry === undefined || nowMs >= entry.freshUntilMs ? undefined : entry.found
  }

  /** Asks the database, once for all who ask at the same time. Rejects when it cannot say and nothing is remembered. */
  resolve(id: string): Promise<Found | null> {
    const flying = this.#flights.get(id)
    if (flying !== undefined) return flying
    const flight = this.#ask(id).finally(() => {
      if (this.#flights.get(id) === flight) this.#flights.delete(id)
    })
    this.#flights.set(id, flight)
    return flight
  }

  /** Drops every record that `isChanged` is true of, and what was said not to be there. The next request asks again. */
  forget(isChanged: (found: Found, id: string) => boolean): void {
    this.#begin()
    for (const [id, { found }] of this.#found) if (found !== null && isChanged(found, id)) this.#found.delete(id)
    this.#missing.clear()
  }

  /** Changes may have been missed: everything is asked again, and counts on only while the database cannot say. */
  doubtAll(): void {
    this.#begin()
    for (const [id, entry] of this.#found) this.#found.set(id, { ...entry, freshUntilMs: 0 })
    this.#missing.clear()
  }

  /** Who asks from now on must not be given an answer that was on its way before. */
  #begin(): void {
    this.#generation += 1
    this.#flights.clear()
  }

  async #ask(id: string): Promise<Found | null> {
    const generation = this.#generation
    try {
      const found = await this.#load(id)
      if (generation === this.#generation) this.#keep(id, found)
      return found
    } catch (error) {
      const entry = this.#found.get(id)
      const nowMs = Date.now()
      if (!entry || nowMs - entry.learntAtMs >= staleMs) throw error
      this.#found.set(id, { ...entry, freshUntilMs: nowMs + this.#ttlMs })
      return entry.found
    }
  }

  #keep(id: string, found: Found | null): void {
    const nowMs = Date.now()
    const ttlMs = found ? this.#ttlMs : Math.min(this.#ttlMs, missingTtlMs)
    const [kept, other] = found ? [this.#found, this.#missing] : [this.#missing, this.#found]
    other.delete(id)
    kept.set(id, { found, learntAtMs: nowMs, freshUntilMs: nowMs + ttlMs })
  }
}
