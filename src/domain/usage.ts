/** Tokens of one request, as the engine counted them, as far as that can be true: see possible. */
export interface Usage {
  readonly inputTokens: number
  /** The part of the input that came from the engine's prompt cache. */
  readonly cachedInputTokens: number
  readonly outputTokens: number
  /** The part of the output that was reasoning, where the engine says. */
  readonly reasoningTokens: number | null
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/**
 * An engine's word, as far as it can be true: no more was cached than came in, no more was reasoning than went out, and no count is
 * beyond what a number can say. All usage passes here, so nobody else has to look.
 */
function possible({ inputTokens, cachedInputTokens, outputTokens, reasoningTokens }: Usage): Usage {
  const most = Number.MAX_SAFE_INTEGER
  return {
    inputTokens: Math.min(inputTokens, most),
    cachedInputTokens: Math.min(cachedInputTokens, inputTokens, most),
    outputTokens: Math.min(outputTokens, most),
    reasoningTokens: reasoningTokens === null ? null : Math.min(reasoningTokens, outputTokens, most),
  }
}

/**
 * Reads OpenAI's `usage` object; null where it does not say what was used. Without a count of the output, as of embeddings,
 * that is what the total has beyond the input.
 */
export function parseUsage(wire: unknown): Usage | null {
  if (!isObject(wire)) return null
  const { prompt_tokens: input, total_tokens: total } = wire
  if (!isCount(input)) return null
  const output = wire['completion_tokens'] ?? (isCount(total) ? total - input : null)
  if (!isCount(output)) return null
  const inputDetails = isObject(wire['prompt_tokens_details']) ? wire['prompt_tokens_details'] : {}
  const outputDetails = isObject(wire['completion_tokens_details']) ? wire['completion_tokens_details'] : {}
  const { cached_tokens: cached } = inputDetails
  const { reasoning_tokens: reasoning } = outputDetails
  return possible({
    inputTokens: input,
    cachedInputTokens: isCount(cached) ? cached : 0,
    outputTokens: output,
    reasoningTokens: isCount(reasoning) ? reasoning : null,
  })
}

/** Reads llama-server's `timings`, the second source of usage; null where it is not one. */
export function parseTimings(wire: unknown): Usage | null {
  if (!isObject(wire)) return null
  const { cache_n: cached, prompt_n: prompt, predicted_n: predicted } = wire
  if (!isCount(prompt) || !isCount(predicted)) return null
  const cachedInputTokens = isCount(cached) ? cached : 0
  const inputTokens = cachedInputTokens + prompt
  return possible({ inputTokens, cachedInputTokens, outputTokens: predicted, reasoningTokens: null })
}

/** OpenAI's `usage` object. `hideCached` keeps from one account what others have asked (promptCache: account). */
export function formatUsage(usage: Usage, hideCached: boolean): Json {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(hideCached ? {} : { prompt_tokens_details: { cached_tokens: usage.cachedInputTokens } }),
    ...(usage.reasoningTokens === null
      ? {}
      : { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
  }
}

/**
 * Adds up the usage of one request from the events of its stream.
 *
 * llama-server reports each choice by itself (and in a direct reply only the first), so there the choices are summed:
 * output over all, input once per prompt. Everyone else reports the whole request, growing, so there the last one counts.
 */
export class UsageTally {
  readonly #perChoice: boolean
  readonly #choicesPerPrompt: number
  readonly #byChoice = new Map<number, Usage>()
  #lastChoice = 0

  /** `choicesPerPrompt` is the request's `n`; choice i answers prompt floor(i / n). */
  constructor(perChoice: boolean, choicesPerPrompt: number) {
    this.#perChoice = perChoice
    this.#choicesPerPrompt = choicesPerPrompt
  }

  /** Takes what one event says; `usage` is believed before `timings`. */
  observe(event: Json): void {
    const choices = Array.isArray(event['choices']) ? event['choices'] : []
    const first: unknown = choices[0]
    if (isObject(first) && isCount(first['index'])) this.#lastChoice = first['index']
    const usage = parseUsage(event['usage']) ?? parseTimings(event['timings'])
    if (usage !== null) this.#byChoice.set(this.#perChoice ? this.#lastChoice : 0, usage)
  }

  /** The request's usage so far; null while nothing was reported. */
  total(): Usage | null {
    if (this.#byChoice.size === 0) return null
    const prompts = new Map<number, Usage>()
    let outputTokens = 0
    let reasoningTokens: number | null = null
    for (const [choice, usage] of this.#byChoice) {
      outputTokens += usage.outputTokens
      if (usage.reasoningTokens !== null) reasoningTokens = (reasoningTokens ?? 0) + usage.reasoningTokens
      const prompt = Math.floor(choice / this.#choicesPerPrompt)
      const known = prompts.get(prompt)
      // The sister choices of a prompt find it cached by the first: the least cached is what was really computed.
      if (known === undefined || usage.cachedInputTokens < known.cachedInputTokens) prompts.set(prompt, usage)
    }
    let inputTokens = 0
    let cachedInputTokens = 0
    for (const usage of prompts.values()) {
      inputTokens += usage.inputTokens
      cachedInputTokens += usage.cachedInputTokens
    }
    return possible({ inputTokens, cachedInputTokens, outputTokens, reasoningTokens })
  }
}
