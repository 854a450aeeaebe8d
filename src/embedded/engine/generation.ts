import type { Engine, Prompt } from './engine.ts'
import type { BindingResult, BindingTimings, BindingToken, BindingToolCall } from './llama-binding.ts'
import type { Sampling } from './sampling.ts'
import { findVisibleText } from './stop-sequence.ts'
import { countCandidates, LogprobReader, type TokenLogprob } from './token-logprob.ts'
import { WireError } from './wire-error.ts'

/** One answer to write. */
export interface GenerationRequest {
  readonly prompt: Prompt
  readonly sampling: Sampling
  readonly stops: readonly string[]
  /** Infinity where the client sets no limit; the context is one in any case. */
  readonly maxTokens: number
  /** How many candidates to list for each token; undefined for no log probabilities at all. */
  readonly topLogprobs: number | undefined
}

/** What a new token adds. */
export interface Piece {
  readonly text: string
  /** All calls so far, their arguments growing; undefined when there is none. */
  readonly toolCalls: readonly BindingToolCall[] | undefined
  readonly logprobs: readonly TokenLogprob[]
  /** Tokens of the answer so far; a character of several tokens counts once until the outcome puts it right. */
  readonly tokens: number
}

export interface Outcome {
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
  readonly toolCalls: readonly BindingToolCall[] | undefined
  readonly timings: BindingTimings
}

export interface GenerationEvents {
  /** A slot has taken the request. */
  onStart(): void
  /** After each token, also one that shows nothing yet. */
  onPiece(piece: Piece): void
}

/** Writes one answer, in line for a slot first. Rejects with the signal's reason when it aborts, in whatever phase. */
export function generate(
  engine: Engine,
  request: GenerationRequest,
  events: GenerationEvents,
  signal: AbortSignal,
): Promise<Outcome> {
  return engine.slots.run(signal, () => {
    events.onStart()
    return new Generation(engine, request, events).run(signal)
  })
}

class Generation {
  readonly #engine: Engine
  readonly #request: GenerationRequest
  readonly #events: GenerationEvents
  readonly #logprobs: LogprobReader | undefined
  #raw = ''
  #tokens = 0
  #sent = ''
  #pendingLogprobs: TokenLogprob[] = []
  #isStopped: boolean = false
  /** Set where tokens must wait for each other: log probabilities are looked up asynchronously. */
  #turn: Promise<void> = Promise.resolve()

  constructor(engine: Engine, request: GenerationRequest, events: GenerationEvents) {
    this.#engine = engine
    this.#request = request
    this.#events = events
    const { topLogprobs } = request
    this.#logprobs = topLogprobs === undefined ? undefined : new LogprobReader(engine.context, topLogprobs)
  }

  async run(signal: AbortSignal): Promise<Outcome> {
    const { promise, stop } = await this.#engine.context.parallel.completion(this.#options(), (_id, token) => {
      // The binding may deliver what it had in hand after it was stopped.
      if (!signal.aborted) this.#receive(token)
    })
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const result = await promise
      await this.#turn
      return this.#finish(result)
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  #options(): object {
    const { prompt, sampling, stops, maxTokens, topLogprobs } = this.#request
    return {
      ...sampling,
      ...prompt.input,
      stop: [...stops, ...prompt.stops],
      n_predict: Math.min(maxTokens, this.#engine.settings.contextLength - prompt.tokens),
      ...(topLogprobs === undefined ? {} : { n_probs: countCandidates(topLogprobs) }),
    }
  }

  #receive(token: BindingToken): void {
    const reader = this.#logprobs
    if (reader === undefined) {
      this.#add(token)
      return
    }
    this.#turn = this.#turn.then(async () => {
      this.#pendingLogprobs.push(await reader.read(token))
      this.#add(token)
    })
  }

  #add(token: BindingToken): void {
    this.#tokens += 1
    this.#raw += token.token
    this.#show(this.#isText ? this.#raw : (token.content ?? ''), token.tool_calls, false)
  }

  #finish(result: BindingResult): Outcome {
    const { stopped_eos: isEnd, stopped_word: isWord, stopped_limit: isLimit, context_full: isFull } = result
    if (!(isEnd || isWord || isLimit || isFull)) {
      throw new WireError(500, 'server_error', 'the engine could not process the prompt')
    }
    const calls = isEnd || isWord ? result.tool_calls : undefined
    this.#show(this.#finalText(result), result.tool_calls, true)
    const finishReason = calls?.length ? 'tool_calls' : isEnd || isWord || this.#isStopped ? 'stop' : 'length'
    return { finishReason, toolCalls: result.tool_calls, timings: result.timings }
  }

  /** A call cut off before its name is neither content nor a call to the parser: as llama-server, show it raw. */
  #finalText(result: BindingResult): string {
    const hasParsed = result.content !== undefined || (result.tool_calls?.length ?? 0) > 0
    if (this.#isText || !hasParsed) return result.text
    return result.content ?? ''
  }

  #show(text: string, toolCalls: readonly BindingToolCall[] | undefined, isComplete: boolean): void {
    if (this.#isStopped) return
    const visible = findVisibleText(text, this.#stops, isComplete)
    this.#isStopped = visible.isStopped
    // The parser may take back an end that turns out to be the start of a call; wait until it has caught up.
    const added = visible.text.startsWith(this.#sent) ? visible.text.slice(this.#sent.length) : ''
    this.#sent += added
    const isShown = added !== '' || isComplete
    const logprobs = isShown ? this.#pendingLogprobs : []
    if (isShown) this.#pendingLogprobs = []
    const calls = toolCalls?.length ? toolCalls : undefined
    this.#events.onPiece({ text: added, toolCalls: calls, logprobs, tokens: this.#tokens })
  }

  get #isText(): boolean {
    return 'prompt' in this.#request.prompt.input
  }

  get #stops(): readonly string[] {
    return [...this.#request.stops, ...this.#request.prompt.stops]
  }
}
