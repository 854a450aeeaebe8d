import type { MetricsClient } from './client.ts'

/**
 * What became of a look-up by meaning: `far`, the nearest is not near enough; `none`, there is none of this scope and guard;
 * `gone`, its answer is not kept any more; `late`, the time was up; `failed`, no vector or no database.
 */
export type SemanticResult = 'hit' | 'far' | 'none' | 'gone' | 'late' | 'failed'

/** Models are those of the configuration that have a semantic cache, so all labels are bounded. */
export interface SemanticMeters {
  lookedUp(model: string, result: SemanticResult, durationMs: number): void
  /** The request cannot be answered by meaning; `reason` is one of Unasked. */
  unasked(model: string, reason: string): void
  /** Of the nearest, whether it was near enough or not. */
  nearest(model: string, similarity: number): void
  embedded(embeddingModel: string, inputTokens: number): void
  setQuestions(questions: number): void
  evicted(questions: number): void
  setUsable(isUsable: boolean): void
}

const lookupBuckets = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5]
const similarityBuckets = [0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99, 1]

export function buildSemanticMeters(client: MetricsClient): SemanticMeters {
  const meters = makeMeters(client)
  return {
    lookedUp(model, result, durationMs) {
      meters.lookups.inc({ model, result })
      meters.duration.observe(durationMs / 1000)
    },
    unasked: (model, reason) => meters.unasked.inc({ model, reason }),
    nearest: (model, similarity) => meters.similarity.observe({ model }, similarity),
    embedded: (model, inputTokens) => meters.tokens.inc({ model }, inputTokens),
    setQuestions: questions => meters.questions.set(questions),
    evicted: questions => meters.evictions.inc(questions),
    setUsable: isUsable => meters.usable.set({ extension: 'vector' }, isUsable ? 1 : 0),
  }
}

function makeMeters({ Counter, Gauge, Histogram }: MetricsClient) {
  return {
    lookups: new Counter({
      name: 'weir_semantic_cache_lookups_total',
      help: 'Questions that were looked up by meaning: hit, far (not near enough), none, gone (its answer is), late or failed.',
      labelNames: ['model', 'result'],
    }),
    duration: new Histogram({
      name: 'weir_semantic_cache_lookup_duration_seconds',
      help: 'One look-up by meaning: the vector of the question, the nearest one and its answer.',
      buckets: lookupBuckets,
    }),
    unasked: new Counter({
      name: 'weir_semantic_cache_unasked_total',
      help: 'Requests that cannot be answered by meaning: tools, format, turns, content (not text alone) or length.',
      labelNames: ['model', 'reason'],
    }),
    similarity: new Histogram({
      name: 'weir_semantic_cache_similarity',
      help: 'The cosine of the nearest question of the same scope and guard, whether it was near enough or not.',
      labelNames: ['model'],
      buckets: similarityBuckets,
    }),
    tokens: new Counter({
      name: 'weir_semantic_cache_embedded_tokens_total',
      help: 'Tokens of questions that were made vectors of, by the embedding model. No caller pays for them.',
      labelNames: ['model'],
    }),
    questions: new Gauge({
      name: 'weir_semantic_cache_questions',
      help: 'Questions that are kept in the database, as it was counted last.',
    }),
    evictions: new Counter({
      name: 'weir_semantic_cache_evictions_total',
      help: 'Questions that were removed before their time to make room for others.',
    }),
    usable: new Gauge({
      name: 'weir_semantic_cache_usable',
      help: 'Whether the database has the extension that the semantic cache needs; absent where no model has one.',
      labelNames: ['extension'],
    }),
  }
}
