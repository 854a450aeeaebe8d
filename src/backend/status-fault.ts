import { Fault } from './fault.ts'

/** The most of an error body that is read; the rest is not waited for. */
export const maxErrorBodyBytes = 64 * 1024

interface WireError {
  readonly message: string
  readonly type: string
}

/** Finds the error in a backend's body: OpenAI's shape, llama-server's numeric one, or vLLM's bare string. */
export function parseErrorBody(body: string): WireError | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return null
  }
  if (typeof parsed !== 'object' || parsed === null) return null
  const error: unknown = 'error' in parsed ? parsed.error : 'detail' in parsed ? parsed.detail : parsed
  if (typeof error === 'string') return { message: error, type: '' }
  if (typeof error !== 'object' || error === null) return null
  const message = 'message' in error && typeof error.message === 'string' ? error.message : ''
  const type = 'type' in error && typeof error.type === 'string' ? error.type : ''
  return message === '' && type === '' ? null : { message, type }
}

const contextMessage =
  /exceed(s|ed)? the available context|maximum context length|longer than the context|input length .{0,40}context/i

/** llama-server says 500 to an input that its batch or context cannot hold. */
const tooLargeMessage = /is too large to process|^input is larger than|^input \(\d+ tokens\)/

/**
 * llama-server says 500 to what is the request's fault; these are its words for it. A chat template that raises, as where
 * roles do not alternate, raises at these messages.
 */
const requestMessage =
  /Jinja Exception|^\s*-{4,}\s*While executing |^\[json\.exception|^Failed to parse|^image input is not supported|^audio input is not supported|^"?(messages|tools|prompt|input)\b/

/**
 * Reads what a backend's error status means. `body` is at most maxErrorBodyBytes of it; `retryAfter` its header.
 */
export function statusFault(status: number, body: string, retryAfter: string | undefined): Fault {
  const error = parseErrorBody(body)
  const what = `the backend answered ${status}`
  const message = error?.message ?? ''
  if (
    error?.type === 'exceed_context_size_error' ||
    tooLargeMessage.test(message) ||
    (status < 500 && contextMessage.test(message))
  ) {
    return new Fault('context', what, { status })
  }
  if (status === 401 || status === 403) return new Fault('refused', what, { status })
  if (status === 404 || status === 405)
    return new Fault('failed', `${what}: it does not have this model or endpoint`, { status })
  if (status === 429 || status === 503) {
    return new Fault('busy', what, { status, retryAfterMs: readRetryAfter(retryAfter) })
  }
  if (status === 501) return new Fault('client', `${what}: it does not serve this endpoint`, { status })
  if (status === 500 && error !== null && requestMessage.test(error.message))
    return new Fault('client', what, { status })
  if (status === 400 && error !== null && /^model .{0,300} not found/.test(error.message)) {
    return new Fault('failed', `${what}: it does not have this model`, { status })
  }
  if (status === 400 || status === 413 || status === 422) return new Fault('client', what, { status })
  if (status >= 300 && status < 400) return new Fault('rubbish', `${what}: redirects are not followed`, { status })
  return new Fault('failed', what, { status })
}

/** Milliseconds to wait: Retry-After holds seconds or a date. What says nothing useful is a second. */
function readRetryAfter(header = ''): number {
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now()
  return ms > 0 ? Math.min(ms, 3_600_000) : 1000
}
