import type { MetricsClient } from './client.ts'

/** Why an answer was not kept. */
export type UnkeptReason = 'unfinished' | 'too_large' | 'fallback' | 'unavailable'

/** What was answered without asking a backend. Models are those of the configuration that have a cache, so all labels are bounded. */
export interface CacheMeters {
  /** `joined`: answered together with another request that asked for the same; `semantic`: as another question. */
  answered(model: string, result: 'hit' | 'semantic' | 'miss' | 'joined'): void
  bypassed(model: string, reason: string): void
  /** Inputs of embeddings. */
  items(model: string, counts: { readonly hits: number; readonly misses: number }): void
  saved(
    model: string,
    saved: { readonly inputTokens: number; readonly outputTokens: number; readonly nanoUsd: number },
  ): void
  unkept(model: string, reason: UnkeptReason): void
  observeLookup(durationMs: number): void
  /** `garbage`: an entry that is none was found, and removed; `unavailable`: the store did not answer. */
  failed(kind: 'garbage' | 'unavailable'): void
  setBytes(bytes: number): void
  evicted(entries: number): void
}

/** In this process it takes microseconds; Redis is waited for 50 ms at the most. */
const lookupBuckets = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1]

export function buildCacheMeters(client: MetricsClient): CacheMeters {
  const meters = makeMeters(client)
  // There from the start, so that the first one is an increase.
  for (const kind of ['garbage', 'unavailable']) meters.failures.inc({ kind }, 0)
  return {
    answered: (model, result) => meters.requests.inc({ model, result }),
    bypassed: (model, reason) => meters.bypasses.inc({ model, reason }),
    items(model, { hits, misses }) {
      meters.items.inc({ model, result: 'hit' }, hits)
      meters.items.inc({ model, result: 'miss' }, misses)
    },
    saved(model, { inputTokens, outputTokens, nanoUsd }) {
      meters.savedTokens.inc({ model, kind: 'input' }, inputTokens)
      meters.savedTokens.inc({ model, kind: 'output' }, outputTokens)
      meters.savedCost.inc({ model }, nanoUsd / 1e9)
    },
    unkept: (model, reason) => meters.unkept.inc({ model, reason }),
    observeLookup: durationMs => meters.lookup.observe(durationMs / 1000),
    failed: kind => meters.failures.inc({ kind }),
    setBytes: bytes => meters.bytes.set(bytes),
    evicted: entries => meters.evictions.inc(entries),
  }
}

function makeMeters({ Counter, Gauge, Histogram }: MetricsClient) {
  return {
    requests: new Counter({
      name: 'weir_cache_requests_total',
      help: 'Requests that were looked up: hit, semantic (answered as a question that means the same), miss, or joined (answered together with another one).',
      labelNames: ['model', 'result'],
    }),
    bypasses: new Counter({
      name: 'weir_cache_bypasses_total',
      help: 'Requests of models with a cache that were not looked up: not_deterministic, no_store, no_cache or experiment.',
      labelNames: ['model', 'reason'],
    }),
    items: new Counter({
      name: 'weir_cache_embedding_inputs_total',
      help: 'Inputs of embeddings that were looked up, each by itself: hit or miss.',
      labelNames: ['model', 'result'],
    }),
    savedTokens: new Counter({
      name: 'weir_cache_saved_tokens_total',
      help: 'Tokens of answers that no backend had to work on for this request.',
      labelNames: ['model', 'kind'],
    }),
    savedCost: new Counter({
      name: 'weir_cache_saved_cost_usd_total',
      help: 'What callers did not pay because of it, by prices for tokens, in USD.',
      labelNames: ['model'],
    }),
    unkept: new Counter({
      name: 'weir_cache_unkept_total',
      help: 'Answers that were not kept: unfinished (cut, calls a tool, without usage), too_large, fallback, unavailable.',
      labelNames: ['model', 'reason'],
    }),
    lookup: new Histogram({
      name: 'weir_cache_lookup_duration_seconds',
      help: 'One look-up in the store of answers.',
      buckets: lookupBuckets,
    }),
    failures: new Counter({
      name: 'weir_cache_failures_total',
      help: 'Look-ups that became misses: garbage (the entry was none and is removed), unavailable (the store did not answer).',
      labelNames: ['kind'],
    }),
    bytes: new Gauge({
      name: 'weir_cache_bytes',
      help: 'What all answers that are kept take; in Redis those of all replicas, as this one has seen it last.',
    }),
    evictions: new Counter({
      name: 'weir_cache_evictions_total',
      help: 'Answers that were removed before their time to make room for others.',
    }),
  }
}
