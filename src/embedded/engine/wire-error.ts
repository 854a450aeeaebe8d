/** The error types of llama-server that this engine answers with. */
type WireErrorType =
  | 'invalid_request_error'
  | 'exceed_context_size_error'
  | 'not_found_error'
  | 'not_supported_error'
  | 'unavailable_error'
  | 'server_error'

/** An error meant for the caller, in llama-server's shape: `code` is the HTTP status, as a number. */
export class WireError extends Error {
  readonly status: number
  readonly type: WireErrorType
  readonly extra: Readonly<Record<string, number>>

  constructor(status: number, type: WireErrorType, message: string, extra: Readonly<Record<string, number>> = {}) {
    super(message)
    this.name = 'WireError'
    this.status = status
    this.type = type
    this.extra = extra
  }

  get body(): object {
    return { error: { code: this.status, message: this.message, type: this.type, ...this.extra } }
  }
}

export function badRequest(message: string): WireError {
  return new WireError(400, 'invalid_request_error', message)
}

export function contextExceeded(promptTokens: number, contextLength: number): WireError {
  const message = `request (${promptTokens} tokens) exceeds the available context size (${contextLength} tokens), try increasing it`
  return new WireError(400, 'exceed_context_size_error', message, {
    n_prompt_tokens: promptTokens,
    n_ctx: contextLength,
  })
}

/** Any thrown value as an answer; what is not ours becomes a 500 that says what the engine said. */
export function toWireError(error: unknown): WireError {
  if (error instanceof WireError) return error
  return new WireError(500, 'server_error', error instanceof Error ? error.message : String(error))
}
