import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { isUnavailable } from '../store/deadline.ts'
import {
  addEntry,
  type Forgotten,
  findNearest,
  forgetEntries,
  type Nearest,
  rebuildEntries,
  type SemanticEntry,
  type SemanticPlace,
  sweepEntries,
} from '../store/semantic-entries.ts'
import { maxDimensions, prepareDimensions, prepareVectors } from '../store/vector-extension.ts'

export interface QuestionStoreOptions {
  readonly sql: Sql
  readonly isEmbedded: boolean
  readonly isReachable: () => boolean
  readonly maxQuestions: number
  readonly onUsable: (isUsable: boolean, words: string) => void
  readonly onSwept: (swept: { readonly entries: number; readonly evicted: number }) => void
  readonly onError: (error: unknown) => void
}

/** Whether there is a model that questions are kept for. */
export const keepsQuestions = ({ models }: Pick<Config, 'models'>): boolean =>
  Object.values(models).some(({ cache }) => cache?.semantic !== undefined && cache.mode !== 'off')

/** So many are added at most before it is seen whether there are too many. */
const sweepEvery = 100

/** The questions in the database, where it has pgvector. Nothing here rejects: what cannot be had is not there. */
export class QuestionStore {
  readonly #options: QuestionStoreOptions
  readonly #prepared = new Set<number>()
  #state: 'unknown' | 'preparing' | 'ready' | 'unusable' = 'unknown'
  #added = 0
  /** Since the embedded database has given back the place of what was removed. */
  #removed = 0
  #sweeping: Promise<void> | null = null

  constructor(options: QuestionStoreOptions) {
    this.#options = options
  }

  get isUsable(): boolean {
    return this.#state === 'ready' && this.#options.isReachable()
  }

  /** Looks whether the database has what it takes, once; again where it was away. */
  async prepare(): Promise<void> {
    if (this.#state !== 'unknown' || !this.#options.isReachable()) return
    this.#state = 'preparing'
    try {
      const support = await prepareVectors(this.#options.sql)
      this.#state = support.kind
      const isReady = support.kind === 'ready'
      this.#options.onUsable(isReady, isReady ? `pgvector ${support.version}` : support.reason)
      if (isReady) await this.sweep()
    } catch (error) {
      this.#state = 'unknown'
      this.#options.onError(error)
    }
  }

  /** Undefined where that cannot be known. */
  async find(place: SemanticPlace, timeoutMs: number): Promise<Nearest | null | undefined> {
    if (!this.isUsable || place.vector.length > maxDimensions) return undefined
    return await this.#guard(() => findNearest(this.#options.sql, place, timeoutMs))
  }

  async add(entry: SemanticEntry): Promise<void> {
    const { length } = entry.vector
    if (!this.isUsable || length > maxDimensions) return
    await this.#guard(async () => {
      await this.#index(length)
      await addEntry(this.#options.sql, entry)
    })
    this.#added += 1
    if (this.#added % sweepEvery === 0) await this.sweep()
  }

  /** What stays is of no use without its answer, and found by nobody who may not. */
  async forget(which: Forgotten): Promise<void> {
    if (!this.isUsable) return
    this.#removed += (await this.#guard(() => forgetEntries(this.#options.sql, which))) ?? 0
  }

  /** Removes what is over and what is too much. */
  async sweep(): Promise<void> {
    if (!this.isUsable) return
    this.#sweeping ??= this.#guard(() => this.#sweepNow()).then(() => {
      this.#sweeping = null
    })
    await this.#sweeping
  }

  /** Where it may not be made, all is found as well, only not as fast. */
  async #index(dimensions: number): Promise<void> {
    if (this.#prepared.has(dimensions)) return
    try {
      await prepareDimensions(this.#options.sql, dimensions)
    } catch (error) {
      if (isUnavailable(error)) throw error
      this.#options.onError(error)
    }
    this.#prepared.add(dimensions)
  }

  async #sweepNow(): Promise<void> {
    const { sql, maxQuestions, isEmbedded, onSwept } = this.#options
    const swept = await sweepEntries(sql, maxQuestions)
    onSwept(swept)
    this.#removed += swept.expired + swept.evicted
    if (!isEmbedded || this.#removed < maxQuestions / 2) return
    this.#removed = 0
    await rebuildEntries(sql)
  }

  async #guard<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await ask()
    } catch (error) {
      // Perhaps somebody has dropped the tables: they are made again.
      if (!isUnavailable(error)) {
        this.#state = 'unknown'
        this.#prepared.clear()
      }
      this.#options.onError(error)
      return undefined
    }
  }
}
