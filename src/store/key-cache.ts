/**
 * What has been learnt about presented keys. It holds digests, never keys. A key is looked up once per TTL at most,
 * however many requests bring it; while the database is away the last answer is believed for up to an hour.
 */
import { LRUCache } from 'lru-cache'
import type { ApiKeyIdentity } from '../domain/api-key.ts'
import type { Principal } from '../domain/principal.ts'

/** The caller a key stands for and until when it does; `null` for a key that is not to be let in. */
export interface KeyVerdict {
  readonly principal: Principal | null
  /** When the key itself ends; Infinity when it does not. */
  readonly expiresAtMs: number
}

interface Entry extends KeyVerdict {
  /** Believed until then without asking. */
  readonly freshUntilMs: number
  /** When the database last said so. */
  readonly learntAtMs: number
}

export interface KeyCacheOptions {
  readonly ttlMs: number
  /** Looks the key up. A rejection means that the database cannot say. */
  readonly load: (identity: ApiKeyIdentity) => Promise<KeyVerdict>
}

const maxKnown = 50_000
/** Apart from the known ones, so that no number of strangers can push out a caller. */
const maxRefused = 10_000
const refusedTtlMs = 5000
const staleMs = 60 * 60 * 1000

export class KeyCache {
  readonly #ttlMs: number
  readonly #load: KeyCacheOptions['load']
  readonly #known = new LRUCache<string, Entry>({ max: maxKnown })
  readonly #refused = new LRUCache<string, Entry>({ max: maxRefused })
  readonly #flights = new Map<string, Promise<Principal | null>>()
  /** Counts what was forgotten: an answer asked for before must not be kept after. */
  #generation = 0

  constructor({ ttlMs, load }: KeyCacheOptions) {
    this.#ttlMs = ttlMs
    this.#load = load
  }

  /** The number of keys it holds, let in or not. */
  get size(): number {
    return this.#known.size + this.#refused.size
  }

  /** What is known about a digest right now: a principal, null for "not to be let in", undefined for "must be asked". */
  peek(digest: string, nowMs: number): Principal | null | undefined {
    const entry = this.#known.get(digest) ?? this.#refused.get(digest)
    if (entry === undefined || nowMs >= entry.freshUntilMs) return undefined
    return nowMs < entry.expiresAtMs ? entry.principal : null
  }

  /** Asks the database, once for all who ask at the same time. Rejects when it cannot say and nothing is remembered. */
  resolve(digest: string, identity: ApiKeyIdentity): Promise<Principal | null> {
    const flying = this.#flights.get(digest)
    if (flying !== undefined) return flying
    const flight = this.#ask(digest, identity).finally(() => this.#flights.delete(digest))
    this.#flights.set(digest, flight)
    return flight
  }

  /** Drops what is known of a key that has been changed or revoked; the next request asks again. */
  forget(publicId: string): void {
    this.#generation += 1
    for (const [digest, entry] of this.#known) if (entry.principal?.keyId === publicId) this.#known.delete(digest)
  }

  async #ask(digest: string, identity: ApiKeyIdentity): Promise<Principal | null> {
    const generation = this.#generation
    try {
      const verdict = await this.#load(identity)
      if (generation === this.#generation) this.#keep(digest, verdict)
      return Date.now() < verdict.expiresAtMs ? verdict.principal : null
    } catch (error) {
      const entry = this.#known.get(digest)
      const nowMs = Date.now()
      if (!entry || nowMs - entry.learntAtMs >= staleMs) throw error
      this.#known.set(digest, { ...entry, freshUntilMs: nowMs + this.#ttlMs })
      return nowMs < entry.expiresAtMs ? entry.principal : null
    }
  }

  #keep(digest: string, verdict: KeyVerdict): void {
    const nowMs = Date.now()
    const ttlMs = verdict.principal ? this.#ttlMs : Math.min(this.#ttlMs, refusedTtlMs)
    const [kept, other] = verdict.principal ? [this.#known, this.#refused] : [this.#refused, this.#known]
    other.delete(digest)
    kept.set(digest, { ...verdict, learntAtMs: nowMs, freshUntilMs: nowMs + ttlMs })
  }
}
