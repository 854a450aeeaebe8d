import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { EmbeddingModel } from './embedding-model.ts'
import { checkDepth, checkRepetitions } from './grammar-bounds.ts'
import type { Binding, BindingChatOptions, BindingContext, BindingMessage } from './llama-binding.ts'
import type { EngineSettings } from './settings.ts'
import { SlotQueue } from './slot-queue.ts'
import { badRequest, contextExceeded } from './wire-error.ts'

/** Below this a second thread costs more in waiting for each other than it computes. */
const smallModelBytes = 64 * 2 ** 20

/** A chat as the binding takes it. */
export interface Chat {
  readonly messages: readonly BindingMessage[]
  readonly options: BindingChatOptions
}

/** A prompt that fits the context. */
export interface Prompt {
  /** What to hand to the binding: the text, or the chat where it must build a grammar and parse calls. */
  readonly input: { readonly prompt: string } | (BindingChatOptions & { readonly messages: readonly BindingMessage[] })
  readonly tokens: number
  /** Stop sequences that the chat template brings along. */
  readonly stops: readonly string[]
}

/** The loaded model. */
export class Engine {
  readonly settings: EngineSettings
  readonly slots: SlotQueue
  readonly context: BindingContext
  readonly embeddings: EmbeddingModel
  /** llama.cpp's build, such as `b6700-3df2244`. */
  readonly fingerprint: string

  private constructor(settings: EngineSettings, binding: Binding, context: BindingContext, threads: number) {
    this.settings = settings
    this.slots = new SlotQueue(settings.slots)
    this.context = context
    this.embeddings = new EmbeddingModel(settings, binding, threads)
    this.fingerprint = `b${binding.BuildInfo.number}-${binding.BuildInfo.commit.slice(0, 7)}`
  }

  /** Loads the model; the event loop stands still meanwhile. A file that is not a model ends the process. */
  static async load(settings: EngineSettings, binding: Binding): Promise<Engine> {
    const { slots, contextLength, modelPath } = settings
    const { size } = await stat(modelPath)
    const threads = size < smallModelBytes ? 1 : availableParallelism()
    const context = await binding.loadModel({
      model: modelPath,
      n_ctx: slots * contextLength,
      n_parallel: slots,
      // Each slot has its own cells, so a full one cannot end the others' answers.
      kv_unified: false,
      ctx_shift: false,
      n_threads: threads,
    })
    if (!(await context.parallel.enable({ n_parallel: slots, n_batch: 512 }))) {
      throw new Error(`the model ${modelPath} cannot run ${slots} completions at once`)
    }
    return new Engine(settings, binding, context, threads)
  }

  /** The prompt that the model's template makes of a chat. Throws a 400 when the template or schema refuses it, or it is too long. */
  async buildChatPrompt(chat: Chat): Promise<Prompt> {
    const formatted = this.#format(chat)
    const tokens = await this.#countFitting(formatted.prompt)
    const { tools, response_format: format } = chat.options
    // A chat that constrains nothing is only text: nothing in the answer needs parsing.
    const isText = tools === undefined && format === undefined
    const input = isText ? { prompt: formatted.prompt } : { ...chat.options, messages: chat.messages }
    return { input, tokens, stops: formatted.additional_stops ?? [] }
  }

  async buildTextPrompt(text: string): Promise<Prompt> {
    if (text === '') throw badRequest("'prompt' must not be empty")
    return { input: { prompt: text }, tokens: await this.#countFitting(text), stops: [] }
  }

  /** How many tokens the chat's prompt has, whether it fits or not. */
  async countChatTokens(chat: Chat): Promise<number> {
    const { tokens } = await this.context.tokenize(this.#format(chat).prompt)
    return tokens.length
  }

  /** The text of token ids. Throws a 400 for an id outside the vocabulary, which the binding does not survive. */
  async detokenize(tokens: readonly number[]): Promise<string> {
    const size = this.vocabularySize
    if (tokens.some(token => !Number.isInteger(token) || token < 0 || token >= size)) {
      throw badRequest(`token ids must be whole numbers from 0 to ${size - 1}`)
    }
    return this.context.detokenize(tokens)
  }

  /** 0 when the file does not say. */
  get vocabularySize(): number {
    const { metadata } = this.context.getModelInfo()
    return Number(metadata[`${metadata['general.architecture']}.vocab_size`] ?? 0)
  }

  /** Frees the native memory; without it, exiting in the middle of a decode can crash. */
  async release(): Promise<void> {
    await this.embeddings.release()
    await this.context.release()
  }

  #format(chat: Chat): { readonly prompt: string; readonly additional_stops?: readonly string[] } {
    checkDepth(chat.options.response_format, 'response_format')
    checkDepth(chat.options.tools, 'tools')
    const formatted = this.#applyTemplate(chat)
    checkRepetitions(formatted.grammar ?? '')
    return formatted
  }

  #applyTemplate(chat: Chat) {
    try {
      return this.context.ctx.getFormattedChat(chat.messages, undefined, chat.options)
    } catch (error) {
      throw badRequest(error instanceof Error ? error.message : String(error))
    }
  }

  async #countFitting(prompt: string): Promise<number> {
    const { tokens } = await this.context.tokenize(prompt)
    // A full context leaves no room for a first token, and a longer prompt spoils the batch of every slot.
    if (tokens.length >= this.settings.contextLength) {
      throw contextExceeded(tokens.length, this.settings.contextLength)
    }
    return tokens.length
  }
}
