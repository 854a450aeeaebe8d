import type { BindingTimings } from './llama-binding.ts'

export interface Usage {
  readonly completion_tokens: number
  readonly prompt_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

type Counts = Pick<BindingTimings, 'cache_n' | 'prompt_n' | 'prompt_ms' | 'predicted_n' | 'predicted_ms'>

/** What one choice has cost so far: an estimate by our own clock while it runs, the engine's word at the end. */
export class ChoiceMeter {
  readonly #promptTokens: number
  readonly #isPromptCounted: boolean
  #startedAtMs = 0
  #firstTokenAtMs: number | undefined
  #lastTokenAtMs = 0
  #tokens = 0
  #final: BindingTimings | undefined

  /** @param isPromptCounted false for the further choices of one prompt: it is read again, but asked for once */
  constructor(promptTokens: number, isPromptCounted: boolean) {
    this.#promptTokens = promptTokens
    this.#isPromptCounted = isPromptCounted
  }

  start(): void {
    this.#startedAtMs = performance.now()
  }

  record(tokens: number): void {
    if (tokens === this.#tokens) return
    this.#tokens = tokens
    this.#lastTokenAtMs = performance.now()
    this.#firstTokenAtMs ??= this.#lastTokenAtMs
  }

  finish(timings: BindingTimings): void {
    this.#final = timings
  }

  get counts(): Counts {
    const counts = this.#final ?? this.#estimate()
    return this.#isPromptCounted ? counts : { ...counts, cache_n: 0, prompt_n: 0, prompt_ms: 0 }
  }

  #estimate(): Counts {
    const firstTokenAtMs = this.#firstTokenAtMs ?? this.#startedAtMs
    return {
      cache_n: 0,
      prompt_n: this.#promptTokens,
      prompt_ms: firstTokenAtMs - this.#startedAtMs,
      predicted_n: this.#tokens,
      predicted_ms: Math.max(0, this.#lastTokenAtMs - firstTokenAtMs),
    }
  }
}

/** The sum over a request's choices; llama-server counts one of them only, which undercharges `n`. */
export function sumTimings(meters: readonly ChoiceMeter[]): BindingTimings {
  const counts = meters.map(meter => meter.counts)
  const sum = (name: keyof Counts) => counts.reduce((total, count) => total + count[name], 0)
  const [promptTokens, promptMs, tokens, ms] = [
    sum('prompt_n'),
    sum('prompt_ms'),
    sum('predicted_n'),
    sum('predicted_ms'),
  ]
  return {
    cache_n: sum('cache_n'),
    prompt_n: promptTokens,
    prompt_ms: promptMs,
    prompt_per_token_ms: ratio(promptMs, promptTokens),
    prompt_per_second: ratio(promptTokens * 1000, promptMs),
    predicted_n: tokens,
    predicted_ms: ms,
    predicted_per_token_ms: ratio(ms, tokens),
    predicted_per_second: ratio(tokens * 1000, ms),
  }
}

export function toUsage(timings: BindingTimings): Usage {
  const promptTokens = timings.cache_n + timings.prompt_n
  return {
    completion_tokens: timings.predicted_n,
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + timings.predicted_n,
    prompt_tokens_details: { cached_tokens: timings.cache_n },
  }
}

function ratio(value: number, by: number): number {
  return by > 0 ? value / by : 0
}
