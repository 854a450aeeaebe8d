/** What one engine's answer is made of. Key order and extra fields are the engine's own. */
export interface Answer {
  engine: 'llama-server' | 'vllm' | 'ollama' | 'openai'
  kind: 'chat' | 'text'
  id: string
  model: string
  created: number
  finishReason: string
}

export interface Counts {
  promptTokens: number
  cachedTokens: number
  outputTokens: number
}

const FINGERPRINT = { 'llama-server': 'b1-de3ff81', vllm: undefined, ollama: 'fp_ollama', openai: 'fp_50cad350e4' }

export function usageOf({ engine }: Pick<Answer, 'engine'>, counts: Counts): object {
  const { promptTokens: prompt, outputTokens: output, cachedTokens: cached } = counts
  const total = { completion_tokens: output, prompt_tokens: prompt, total_tokens: prompt + output }
  return engine === 'ollama' ? total : { ...total, prompt_tokens_details: { cached_tokens: cached } }
}

/** llama-server's second source of usage: prompt = cache_n + prompt_n, output = predicted_n. */
export function timingsOf({ promptTokens, cachedTokens, outputTokens }: Counts): object {
  return {
    cache_n: cachedTokens,
    prompt_n: promptTokens - cachedTokens,
    prompt_ms: 0.999,
    prompt_per_token_ms: 0.999,
    prompt_per_second: 1001.001001001001,
    predicted_n: outputTokens,
    predicted_ms: 11.505,
    predicted_per_token_ms: 1.6435714285714287,
    predicted_per_second: 608.4311169056931,
  }
}

/** The event before the text; ollama has none, its deltas repeat the role. */
export function roleEvent(answer: Answer): object {
  return withChoice(answer, { role: 'assistant', content: answer.engine === 'llama-server' ? null : '' }, null)
}

export function contentEvent(answer: Answer, text: string): object {
  return withChoice(answer, answer.engine === 'ollama' ? { role: 'assistant', content: text } : { content: text }, null)
}

export function finishEvent(answer: Answer): object {
  return withChoice(answer, answer.engine === 'ollama' ? { role: 'assistant', content: '' } : {}, answer.finishReason)
}

/** What `stream_options.include_usage` asks for: no choices, the counts. */
export function usageEvent(answer: Answer, counts: Counts): object {
  return { ...envelope(answer, []), usage: usageOf(answer, counts) }
}

/** The answer to a request without `stream`. */
export function wholeAnswer(answer: Answer, text: string, counts: Counts): object {
  const choice =
    answer.kind === 'chat'
      ? { finish_reason: answer.finishReason, index: 0, message: { role: 'assistant', content: text } }
      : { text, index: 0, logprobs: null, finish_reason: answer.finishReason }
  const object = answer.kind === 'chat' ? 'chat.completion' : 'text_completion'
  return { ...envelope(answer, [choice]), object, usage: usageOf(answer, counts) }
}

function withChoice(
  answer: Answer,
  delta: { role?: string; content?: string | null },
  finishReason: string | null,
): object {
  if (answer.kind === 'text') {
    return envelope(answer, [{ text: delta.content ?? '', index: 0, logprobs: null, finish_reason: finishReason }])
  }
  return envelope(answer, [{ finish_reason: finishReason, index: 0, delta }])
}

function envelope({ engine, kind, created, id, model }: Answer, choices: readonly object[]): object {
  const fingerprint = FINGERPRINT[engine]
  const mark = fingerprint === undefined ? {} : { system_fingerprint: fingerprint }
  if (kind === 'text') return { choices, created, model, ...mark, object: 'text_completion', id }
  return { choices, created, id, model, ...mark, object: 'chat.completion.chunk' }
}
