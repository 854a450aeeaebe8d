import type { AnswerCaching, SemanticCaching } from '../domain/cache-policy.ts'
import type { Forgetting } from '../domain/response-store.ts'
import type { SemanticMeters, SemanticResult } from '../metrics/semantic-meters.ts'
import type { QuestionStore } from './question-store.ts'
import type { QuestionVector } from './question-vector.ts'

/** One question that may be answered as another one that means the same. */
export interface SemanticQuestion {
  readonly scope: string
  readonly guard: string
  readonly accountId: string
  readonly model: string
  readonly embeddingModel: string
  readonly semantic: SemanticCaching
  /** Begins to make its vector. Not called twice. */
  readonly embed: () => Promise<QuestionVector | null>
}

/** A question that was looked up; its vector may still be on its way. */
export interface LookedUp {
  readonly question: SemanticQuestion
  readonly vector: Promise<QuestionVector | null>
}

export interface Near<Stored> {
  readonly entryKey: string
  readonly similarity: number
  readonly stored: Stored
}

export interface SemanticCacheOptions {
  readonly store: QuestionStore
  readonly meters: SemanticMeters
}

/** Vectors that are made at once: each holds a question, and a slot of a backend. */
const maxEmbedding = 64

/** Finds answers to questions that mean the same. Whatever goes wrong is a miss. */
export class SemanticCache {
  readonly #options: SemanticCacheOptions
  #embedding = 0

  constructor(options: SemanticCacheOptions) {
    this.#options = options
  }

  /** Null where the question cannot be looked up at all now. */
  begin(question: SemanticQuestion): LookedUp | null {
    const { store, meters } = this.#options
    if (!store.isUsable) {
      void store.prepare()
      meters.lookedUp(question.model, 'failed', 0)
      return null
    }
    if (this.#embedding >= maxEmbedding) {
      meters.lookedUp(question.model, 'late', 0)
      return null
    }
    this.#embedding += 1
    const vector = question.embed().then(made => {
      this.#embedding -= 1
      if (made !== null) meters.embedded(question.embeddingModel, made.inputTokens)
      return made
    })
    return { question, vector }
  }

  /**
   * The answer to the nearest question that is near enough, within the budget; null where there is none. `read` gets the answer
   * of an entry, null where it is not kept any more, undefined where this one must do without it.
   */
  async find<Stored>(
    { question, vector }: LookedUp,
    read: (entryKey: string) => Promise<Stored | null | undefined>,
  ): Promise<Near<Stored> | null> {
    const { model, semantic } = question
    const startMs = performance.now()
    const late = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => late.resolve('late'), semantic.budgetMs)
    const leftMs = () => semantic.budgetMs - (performance.now() - startMs)
    const looking = this.#look({ question, vector }, read, leftMs)
    const found = await Promise.race([late.promise, looking]).finally(() => clearTimeout(timer))
    const result = typeof found === 'string' ? found : 'hit'
    this.#options.meters.lookedUp(model, result, performance.now() - startMs)
    return typeof found === 'string' ? null : found
  }

  async #look<Stored>(
    { question, vector }: LookedUp,
    read: (entryKey: string) => Promise<Stored | null | undefined>,
    leftMs: () => number,
  ): Promise<Near<Stored> | Exclude<SemanticResult, 'hit'>> {
    const { store, meters } = this.#options
    const made = await vector
    if (made === null) return 'failed'
    if (leftMs() <= 0) return 'late'
    const { scope, guard, model, semantic } = question
    const nearest = await store.find({ scope, guard, vector: made.vector }, Math.max(1, leftMs()))
    if (nearest === undefined) return leftMs() <= 0 ? 'late' : 'failed'
    if (nearest === null) return 'none'
    const { entryKey, similarity } = nearest
    meters.nearest(model, similarity)
    if (similarity < semantic.threshold) return 'far'
    const stored = await read(entryKey)
    if (stored === undefined) return 'none'
    if (stored !== null) return { entryKey, similarity, stored }
    void store.forget({ by: 'key', value: entryKey })
    return 'gone'
  }

  /** The answer of the question is kept under this key: from now on it is found by its meaning. */
  async keep({ question, vector }: LookedUp, entryKey: string, { ttlMs }: AnswerCaching): Promise<void> {
    const made = await vector
    if (made === null) return
    const { scope, guard, accountId, model } = question
    await this.#options.store.add({ scope, guard, accountId, model, entryKey, ttlMs, vector: made.vector })
  }

  async forget(what: Forgetting): Promise<void> {
    switch (what.kind) {
      case 'account':
        return await this.#options.store.forget({ by: 'account', value: what.accountId })
      case 'model':
        return await this.#options.store.forget({ by: 'model', value: what.model })
      case 'key':
        return await this.#options.store.forget({ by: 'key', value: what.key })
    }
  }
}
