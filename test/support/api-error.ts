import assert from 'node:assert/strict'
import OpenAI, { type APIError } from 'openai'
import type { Gateway } from './gateway.ts'
import { type KeyGrant, makeKey } from './keys.ts'

/** A row of the wire contract's table of errors, as the SDK shows it. */
export interface ErrorRow {
  readonly status: number
  readonly type: string
  readonly code: string | null
  readonly param?: string | null
  readonly message?: RegExp
  /** Of the headers that say whether and when to try again; those not named must be absent. */
  readonly retry?: {
    readonly 'retry-after'?: string
    readonly 'retry-after-ms'?: string
    readonly 'x-should-retry'?: 'false'
  }
}

const classes: Readonly<Record<number, new (...args: never[]) => APIError>> = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError,
  429: OpenAI.RateLimitError,
}

/** Fails unless the call is refused exactly so; returns the error. */
export async function refusal(call: PromiseLike<unknown>, row: ErrorRow): Promise<APIError> {
  const error = await Promise.resolve(call).then(
    () => assert.fail(`it was not refused with ${row.status} ${row.code}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof OpenAI.APIError, String(error))
  const expected = classes[row.status] ?? (row.status >= 500 ? OpenAI.InternalServerError : OpenAI.APIError)
  assert.equal(error.constructor, expected, `${error.constructor.name}: ${error.message} ${error.cause}`)
  const { status, type, code, param, headers } = error
  assert.deepEqual(
    { status, type, code, param },
    { status: row.status, type: row.type, code: row.code, param: row.param ?? null },
    error.message,
  )
  assert.deepEqual(new Set(Object.keys(error.error as object)), new Set(['message', 'type', 'param', 'code']))
  assert.match((error.error as { message: string }).message, row.message ?? /\S/)
  assert.match(headers?.get('content-type') ?? '', /^application\/json/)
  assert.match(error.requestID ?? '', /^req_[0-9a-f]{32}$/)
  assert.match(headers?.get('openai-processing-ms') ?? '', /^[0-9]+$/)
  for (const name of ['retry-after', 'retry-after-ms', 'x-should-retry'] as const) {
    assert.equal(headers?.get(name) ?? undefined, row.retry?.[name], name)
  }
  return error
}

/** The gateway's SDK with a new key, made as the keys command makes it. */
export async function withKey({ app, openai }: Gateway, grant: KeyGrant): Promise<OpenAI> {
  return openai.withOptions({ apiKey: await makeKey(app, grant) })
}

/** A chat request of a few bytes. */
export const hello = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }] }
