import type { Binding, BindingContext } from './llama-binding.ts'
import type { EngineSettings } from './settings.ts'
import { badRequest } from './wire-error.ts'

/** The longest input, in tokens: mean pooling needs it in one physical batch, whose buffers grow with it. */
const maxBatchTokens = 2048

export interface Embedding {
  readonly vector: Float32Array
  readonly tokens: number
}

/** The same model in a second context that pools instead of writing. Loaded on first use: most installations never ask. */
export class EmbeddingModel {
  readonly #settings: EngineSettings
  readonly #binding: Binding
  readonly #threads: number
  #context: Promise<BindingContext> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(settings: EngineSettings, binding: Binding, threads: number) {
    this.#settings = settings
    this.#binding = binding
    this.#threads = threads
  }

  /** The mean-pooled vector of a text, of length 1. Throws a 400 when the text is empty or too long. */
  embed(text: string, signal: AbortSignal): Promise<Embedding> {
    // One after the other: two at once corrupt the binding's heap.
    const turn = this.#last.then(() => this.#embedNow(text, signal))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async release(): Promise<void> {
    await this.#last
    const context = await this.#context
    await context?.release()
  }

  async #embedNow(text: string, signal: AbortSignal): Promise<Embedding> {
    signal.throwIfAborted()
    this.#context ??= this.#load()
    const context = await this.#context
    const { tokens } = await context.tokenize(text)
    if (tokens.length === 0) throw badRequest("'input' must not be empty")
    if (tokens.length > this.#batchTokens) {
      throw badRequest(
        `input (${tokens.length} tokens) is too large to process. increase the physical batch size (current batch size: ${this.#batchTokens})`,
      )
    }
    // The binding reads on from the beginning that two texts share, and would pool over the rest of this one only.
    context.clearCache()
    const { embedding } = await context.embedding(text)
    return { vector: embedding, tokens: tokens.length }
  }

  get #batchTokens(): number {
    return Math.min(this.#settings.contextLength, maxBatchTokens)
  }

  #load(): Promise<BindingContext> {
    return this.#binding.loadModel({
      model: this.#settings.modelPath,
      embedding: true,
      pooling_type: 'mean',
      n_ctx: this.#batchTokens,
      n_batch: this.#batchTokens,
      n_ubatch: this.#batchTokens,
      n_parallel: 1,
      n_threads: this.#threads,
    })
  }
}
