/**
 * The part of @fugood/llama.node that we use. The package ships its TypeScript sources beside the JavaScript, so a
 * plain import would type-check them under our rules; the types here are what we have seen it do.
 */

export interface BindingToolCall {
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}

export interface BindingTimings {
  readonly cache_n: number
  readonly prompt_n: number
  readonly prompt_ms: number
  readonly prompt_per_token_ms: number
  readonly prompt_per_second: number
  readonly predicted_n: number
  readonly predicted_ms: number
  readonly predicted_per_token_ms: number
  readonly predicted_per_second: number
}

/** One call of the token callback: whole characters only; `content` and `tool_calls` are all there is so far. */
export interface BindingToken {
  readonly token: string
  readonly content?: string
  readonly tool_calls?: readonly BindingToolCall[]
  readonly probs?: readonly { readonly tok: number; readonly prob: number }[]
}

export interface BindingResult {
  readonly text: string
  readonly content?: string
  readonly tool_calls?: readonly BindingToolCall[]
  readonly stopped_eos: boolean
  readonly stopped_limit: boolean
  readonly stopped_word: boolean
  readonly context_full: boolean
  readonly timings: BindingTimings
}

export interface BindingMessage {
  readonly role: string
  readonly content?: string | null
  readonly tool_calls?: unknown
  readonly tool_call_id?: string
  readonly name?: string
}

/** How a chat is turned into a prompt; `tool_choice` must be explicit, else calls are not parsed. */
export interface BindingChatOptions {
  readonly jinja: true
  readonly add_generation_prompt: true
  readonly tools?: readonly unknown[]
  readonly tool_choice?: 'auto' | 'required'
  readonly parallel_tool_calls?: boolean
  readonly response_format?: { readonly type: 'json_schema'; readonly json_schema: { readonly schema: object } }
}

export interface BindingContext {
  /** The native context: its own `getFormattedChat` takes a quarter of the wrapper's time. */
  readonly ctx: {
    getFormattedChat(
      messages: readonly BindingMessage[],
      template: undefined,
      options: BindingChatOptions,
    ): { readonly prompt: string; readonly grammar?: string; readonly additional_stops?: readonly string[] }
  }
  readonly parallel: {
    enable(options: { n_parallel: number; n_batch: number }): Promise<boolean>
    completion(
      options: object,
      onToken: (requestId: number, token: BindingToken) => void,
    ): Promise<{ readonly promise: Promise<BindingResult>; stop(): void }>
  }
  getModelInfo(): {
    readonly desc: string
    readonly nEmbd: number
    readonly nParams: number
    readonly size: number
    readonly metadata: Readonly<Record<string, string | undefined>>
  }
  tokenize(text: string): Promise<{ readonly tokens: Int32Array }>
  detokenize(tokens: readonly number[]): Promise<string>
  /** Forgets what the context has read. */
  clearCache(): void
  /** Never two at once on one context: the second corrupts the heap. Reads only what the text adds to the one before. */
  embedding(text: string): Promise<{ readonly embedding: Float32Array }>
  release(): Promise<void>
}

export interface Binding {
  readonly BuildInfo: { readonly number: string; readonly commit: string }
  loadModule(): Promise<unknown>
  loadModel(options: object): Promise<BindingContext>
}

/** The binding with its native part loaded; rejects where no package fits this platform. */
export async function loadBinding(): Promise<Binding> {
  // Not a literal, so that the compiler leaves the package's own sources alone.
  const name: string = '@fugood/llama.node'
  const module: { default: Binding } = await import(name)
  await module.default.loadModule()
  return module.default
}
