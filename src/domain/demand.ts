/** What a request may take of limits at most; see src/domain/reservation.ts for when that is held and corrected. */
import type { Model } from './catalog.ts'
import type { Amounts } from './limit.ts'
import { dearestPrice, type PriceQuestion } from './model-price.ts'
import { costAtMost, type Price } from './price.ts'

export interface Ask extends PriceQuestion {
  /** At most; of all prompts together. */
  readonly promptTokens: number
  /** The `max_tokens` of one answer; 0 for embeddings. */
  readonly outputBound: number
  /** Answers to all prompts together: those for each prompt, times the prompts. */
  readonly choices: number
  readonly model: Pick<Model, 'contextLength' | 'prices' | 'targets'>
  /** The longest it can keep a backend busy. */
  readonly longestMs: number
}

export interface Demand extends Amounts {
  readonly promptTokens: number
  /** Of all answers together. */
  readonly outputTokens: number
  /** By which the money is counted: the dearest that it may come to; null where there is none. */
  readonly price: Price | null
}

/** One request, its tokens in and out, and what those cost at most wherever it runs, in nano-USD. */
export function demandOf(ask: Ask): Demand {
  const { promptTokens, outputBound, choices, model, longestMs } = ask
  // An engine ends an answer where the context does, whatever bound it was given.
  const outputTokens = Math.min(outputBound, model.contextLength ?? Number.POSITIVE_INFINITY) * choices
  const use = { inputTokens: promptTokens, outputTokens, durationMs: longestMs }
  const price = dearestPrice(ask, use)
  return {
    requests: 1,
    tokens: promptTokens + outputTokens,
    nanoUsd: costAtMost(price, use),
    promptTokens,
    outputTokens,
    price,
  }
}

/**
 * A demand that is also enough where the model of another one answers instead. The tokens of the prompt stay those of the model
 * that was asked: its engine's own count takes the place of them, and says nothing of what another engine would count.
 */
export function orDemand(asked: Demand, other: Demand): Demand {
  const outputTokens = Math.max(asked.outputTokens, other.outputTokens)
  const { nanoUsd, price } = other.nanoUsd > asked.nanoUsd ? other : asked
  return { ...asked, tokens: asked.promptTokens + outputTokens, outputTokens, nanoUsd, price }
}
