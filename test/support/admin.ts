import assert from 'node:assert/strict'
import { adminKey, type Gateway } from './gateway.ts'

export interface AdminAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  /** Null where it is none. */
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string | null } | null
}

export interface AdminClient {
  /** `body` is sent as JSON; undefined sends none. The answer is held to the OpenAPI document. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<AdminAnswer>
  /** Fails unless it is answered with success; its body. */
  get<Body = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Body>
}

/** The admin API of a gateway, as the caller with this key. */
export function adminOf(gateway: Gateway, key: string = adminKey): AdminClient {
  const client: AdminClient = {
    async ask(method, path, body, headers = {}) {
      const response = await gateway.fetch(`${gateway.internalUrl ?? gateway.url}/admin${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const answer = (await response.json()) as Record<string, unknown> & { error?: AdminAnswer['error'] }
      return { status: response.status, headers: response.headers, body: answer, error: answer.error ?? null }
    },
    async get<Body>(method: string, path: string, body?: unknown) {
      const answer = await client.ask(method, path, body)
      assert.ok(answer.status < 300, JSON.stringify(answer.body))
      return answer.body as Body
    },
  }
  return client
}

/** A gateway without a backend: administration needs none. */
export const noBackend = { WEIR_BACKEND_URL: 'http://127.0.0.1:9' }

/** Fails unless it is refused so. */
export function assertRefused(answer: AdminAnswer, status: number, param?: string | null, message?: RegExp): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body))
  if (param !== undefined) assert.equal(answer.error?.param, param, String(answer.error?.message))
  assert.match(answer.error?.message ?? '', message ?? /\S/)
}
