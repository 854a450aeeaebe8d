/** What a request may take of limits at most; see src/domain/reservation.ts for when that is held and corrected. */
import type { Model } from './catalog.ts'
import type { Amounts } from './limit.ts'
import { costAtMost, type Price } from './price.ts'

export interface Ask {
  /** At most; of all prompts together. */
  readonly promptTokens: number
  /** The `max_tokens` of one answer; 0 for embeddings. */
  readonly outputBound: number
  /** Answers to all prompts together: those for each prompt, times the prompts. */
  readonly choices: number
  readonly model: Pick<Model, 'contextLength'>
  /** The one that holds now: what the request really costs has to be asked of the same one. */
  readonly price: Price | null
  /** The longest it can keep a backend busy. */
  readonly longestMs: number
}

export interface Demand extends Amounts {
  readonly promptTokens: number
  /** Of all answers together. */
  readonly outputTokens: number
}

/** One request, its tokens in and out, and what those cost, in nano-USD. */
export function demandOf({ promptTokens, outputBound, choices, model, price, longestMs }: Ask): Demand {
  // An engine ends an answer where the context does, whatever bound it was given.
  const outputTokens = Math.min(outputBound, model.contextLength ?? Number.POSITIVE_INFINITY) * choices
  return {
    requests: 1,
    tokens: promptTokens + outputTokens,
    nanoUsd: costAtMost(price, { inputTokens: promptTokens, outputTokens, durationMs: longestMs }),
    promptTokens,
    outputTokens,
  }
}
