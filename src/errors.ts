/**
 * Every error a caller can be answered, one line each. The four keys of the body are OpenAI's; SDKs decide by status,
 * `type`, `code` and the retry headers, so each line here is a contract.
 */

type ErrorType =
  | 'invalid_request_error'
  | 'permission_error'
  | 'requests'
  | 'tokens'
  | 'insufficient_quota'
  | 'server_error'
  | 'service_unavailable_error'

interface ErrorEntry {
  readonly status: number
  readonly type: ErrorType
  readonly code: string | null
  /** `false` tells the SDKs not to try again by themselves; absent leaves it to the status. */
  readonly shouldRetry?: false
}

export const errorCatalogue = {
  invalidRequest: { status: 400, type: 'invalid_request_error', code: null },
  contextLengthExceeded: { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' },
  invalidApiKey: { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' },
  insufficientPermissions: { status: 403, type: 'permission_error', code: 'insufficient_permissions' },
  modelNotFound: { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  notFound: { status: 404, type: 'invalid_request_error', code: null },
  /** An account or key of the admin API. */
  resourceNotFound: { status: 404, type: 'invalid_request_error', code: 'not_found' },
  methodNotAllowed: { status: 405, type: 'invalid_request_error', code: 'method_not_allowed' },
  conflict: { status: 409, type: 'invalid_request_error', code: 'conflict', shouldRetry: false },
  requestTimeout: { status: 408, type: 'invalid_request_error', code: 'request_timeout' },
  /** Ours, read again by an administrator's call. */
  invalidConfiguration: {
    status: 422,
    type: 'invalid_request_error',
    code: 'invalid_configuration',
    shouldRetry: false,
  },
  requestTooLarge: { status: 413, type: 'invalid_request_error', code: 'request_too_large' },
  unsupportedMediaType: { status: 415, type: 'invalid_request_error', code: 'unsupported_media_type' },
  requestLimitExceeded: { status: 429, type: 'requests', code: 'rate_limit_exceeded' },
  tokenLimitExceeded: { status: 429, type: 'tokens', code: 'rate_limit_exceeded' },
  largerThanLimit: { status: 429, type: 'tokens', code: 'rate_limit_exceeded', shouldRetry: false },
  insufficientQuota: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota', shouldRetry: false },
  headersTooLarge: { status: 431, type: 'invalid_request_error', code: 'request_too_large' },
  internal: { status: 500, type: 'server_error', code: 'internal_error' },
  upstreamError: { status: 502, type: 'server_error', code: 'upstream_error' },
  overloaded: { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded' },
  authUnavailable: { status: 503, type: 'service_unavailable_error', code: 'auth_unavailable' },
  /** Accounts, keys and the audit log are in the database alone. */
  storeUnavailable: { status: 503, type: 'service_unavailable_error', code: 'database_unavailable' },
  ledgerUnavailable: { status: 503, type: 'service_unavailable_error', code: 'ledger_unavailable' },
  upstreamTimeout: { status: 504, type: 'server_error', code: 'upstream_timeout' },
  /** Only inside a stream, where the status has already been sent. */
  upstreamIncomplete: { status: 502, type: 'server_error', code: 'upstream_incomplete' },
  serverShutdown: { status: 503, type: 'server_error', code: 'server_shutdown' },
} as const satisfies Record<string, ErrorEntry>

export type ErrorName = keyof typeof errorCatalogue

export interface ErrorDetails {
  /** The request field that was wrong, as a path such as `messages[0].content`. */
  readonly param?: string
  /** How long the caller should wait, in milliseconds; required in spirit on every 429 and 503. */
  readonly retryAfterMs?: number
  /** Overrides the catalogue's advice for this one answer. */
  readonly shouldRetry?: false
  /** What really happened; goes to the log, never to the caller. */
  readonly cause?: unknown
}

export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: ErrorType
    readonly param: string | null
    readonly code: string | null
  }
}

/** An error meant for the caller: `throw new WeirError('modelNotFound', 'No model …', { param: 'model' })`. */
export class WeirError extends Error {
  readonly kind: ErrorName
  readonly statusCode: number
  readonly param: string | null
  readonly retryAfterMs: number | undefined
  readonly shouldRetry: false | undefined

  constructor(kind: ErrorName, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'WeirError'
    const entry: ErrorEntry = errorCatalogue[kind]
    this.kind = kind
    this.statusCode = entry.status
    this.param = details.param ?? null
    this.shouldRetry = details.shouldRetry ?? entry.shouldRetry
    this.retryAfterMs = details.retryAfterMs ?? (entry.status === 429 || entry.status === 503 ? 1000 : undefined)
  }

  get body(): ErrorBody {
    const { type, code } = errorCatalogue[this.kind]
    return { error: { message: this.message, type, param: this.param, code } }
  }

  /** The retry headers of this answer; `retry-after` rounds up, so that waiting exactly so long is enough. */
  get headers(): Record<string, string> {
    const headers: Record<string, string> = {}
    if (this.retryAfterMs !== undefined) {
      headers['retry-after'] = String(Math.ceil(this.retryAfterMs / 1000))
      headers['retry-after-ms'] = String(Math.ceil(this.retryAfterMs))
    }
    // openai-node ignores a wait over a minute and comes back after half a second: tell it not to.
    if (this.shouldRetry === false || (this.retryAfterMs ?? 0) > 60_000) headers['x-should-retry'] = 'false'
    return headers
  }
}
