import type { Call } from '../backend/call.ts'
import type { AnswerCaching } from '../domain/cache-policy.ts'
import type { Json } from '../domain/chat-event.ts'
import type { Belonging, Forgetting, ResponseStore } from '../domain/response-store.ts'
import { callsTools, isStorable } from '../domain/storable-answer.ts'
import type { CacheMeters, UnkeptReason } from '../metrics/cache-meters.ts'
import {
  decodeAnswer,
  decodeVector,
  encodeAnswer,
  encodeVector,
  type StoredAnswer,
  type StoredVector,
} from './entry.ts'
import { GuardedStore } from './guarded-store.ts'
import type { WholeAnswer } from './member.ts'

export interface AnswerCacheOptions {
  readonly store: ResponseStore
  readonly secret: Buffer
  readonly maxEntryBytes: number
  readonly meters: CacheMeters
  /** The store could not be asked again and again, and is left alone for a while. */
  readonly onTrouble: (error: unknown) => void
}

/** What is looked for. */
export interface Question {
  readonly key: string
  readonly belonging: Belonging
  /** An older one is none; null where only the moment is asked for, as what is there is to be replaced. */
  readonly maxAgeMs: number | null
  /** As the model is configured now. */
  readonly caching: AnswerCaching
}

export interface Lookup<Stored> {
  /** Null where there is none. */
  readonly found: Stored | null
  /** See Found; null where the store could not say, and then nothing can be kept. */
  readonly moment: string | null
}

/** What is kept, and for whom. */
export interface Keeping {
  readonly key: string
  readonly belonging: Belonging
  readonly moment: string
  readonly caching: AnswerCaching
}

/** Answers that may be given again. Nothing here rejects but `forget`: whatever is wrong with the store is a miss. */
export class AnswerCache {
  readonly #options: AnswerCacheOptions
  readonly #store: GuardedStore

  constructor(options: AnswerCacheOptions) {
    const { store, meters, onTrouble } = options
    this.#options = options
    this.#store = new GuardedStore(store, (error, begins) => {
      meters.failed('unavailable')
      if (begins) onTrouble(error)
    })
  }

  get secret(): Buffer {
    return this.#options.secret
  }

  async find({ key, belonging, maxAgeMs, caching }: Question): Promise<Lookup<StoredAnswer>> {
    const { found, moment } = await this.#look([key], { belonging, maxAgeMs }, decodeAnswer)
    const [answer = null] = found
    return { found: answer?.callsTools === true && !caching.keepsToolCalls ? null : answer, moment }
  }

  /** Of several inputs, in their order. */
  async findVectors(
    keys: readonly string[],
    where: Pick<Question, 'belonging' | 'maxAgeMs'>,
  ): Promise<{ readonly found: readonly (StoredVector | null)[]; readonly moment: string | null }> {
    return await this.#look(keys, where, decodeVector)
  }

  /** Keeps a whole answer of this call, where it may be given again; whether it did. */
  async keep({ key, ...kept }: Keeping, { model, choices }: Call, whole: WholeAnswer): Promise<boolean> {
    const { answer, usage, answeredBy } = whole
    const unkept = (reason: UnkeptReason): false => {
      this.#options.meters.unkept(model.id, reason)
      return false
    }
    // Another model's answer is not what was asked for.
    if (answeredBy !== model.id) return unkept('fallback')
    if (usage === null || !isStorable(answer, { choices, keepsToolCalls: kept.caching.keepsToolCalls })) {
      return unkept('unfinished')
    }
    const stored = {
      atMs: Date.now(),
      usage,
      callsTools: callsTools(answer),
      extras: extrasOf(answer),
      choices: JSON.stringify(answer['choices']),
    }
    const bytes = encodeAnswer({ secret: this.secret, key }, stored)
    if (bytes.length > this.#options.maxEntryBytes) return unkept('too_large')
    return await this.#put([{ key, bytes }], kept, model.id)
  }

  async keepVectors(
    vectors: readonly (StoredVector & { readonly key: string })[],
    kept: Omit<Keeping, 'key'>,
  ): Promise<void> {
    const { secret } = this
    const entries = vectors.map(({ key, ...stored }) => ({ key, bytes: encodeVector({ secret, key }, stored) }))
    await this.#put(entries, kept, kept.belonging.model)
  }

  /** Rejects where the store cannot be reached: then it is still there. */
  async forget(what: Forgetting): Promise<void> {
    await this.#store.forget(what)
  }

  async #put(
    entries: readonly { readonly key: string; readonly bytes: Buffer }[],
    { belonging, moment, caching }: Omit<Keeping, 'key'>,
    model: string,
  ): Promise<boolean> {
    const isKept = await this.#store.put(entries, { ...belonging, moment, ttlMs: caching.ttlMs })
    if (!isKept) this.#options.meters.unkept(model, 'unavailable')
    return isKept
  }

  async #look<Stored extends { readonly atMs: number }>(
    keys: readonly string[],
    { belonging, maxAgeMs }: Pick<Question, 'belonging' | 'maxAgeMs'>,
    decode: (name: { readonly secret: Buffer; readonly key: string }, bytes: Buffer) => Stored | null,
  ): Promise<{ readonly found: readonly (Stored | null)[]; readonly moment: string | null }> {
    const { meters, secret } = this.#options
    const startedAt = performance.now()
    const answer = await this.#store.find(maxAgeMs === null ? [] : keys, belonging)
    meters.observeLookup(performance.now() - startedAt)
    if (answer === null) return { found: keys.map(() => null), moment: null }
    const oldestMs = Date.now() - (maxAgeMs ?? 0)
    const found = keys.map((key, index) => {
      const bytes = answer.entries[index] ?? null
      const stored = bytes === null ? null : decode({ secret, key }, bytes)
      if (bytes !== null && stored === null) {
        meters.failed('garbage')
        void this.#store.remove(key)
      }
      return stored !== null && stored.atMs >= oldestMs ? stored : null
    })
    return { found, moment: answer.moment }
  }
}

/** What an answer says of itself that is the same each time it is given. */
function extrasOf(answer: Json): Json {
  const { id: _id, created: _created, object: _object, model: _model, choices: _choices, ...rest } = answer
  const { usage: _usage, timings: _timings, ...extras } = rest
  return extras
}
