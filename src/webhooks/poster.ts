/** Posts one event to its receiver. */
import { Agent, request } from 'undici'
import { signWebhook, type WebhookReply } from '../domain/webhook-delivery.ts'

export interface Posting {
  readonly url: string
  readonly secret: string
  readonly id: string
  readonly body: string
}

export interface PosterTimes {
  readonly connectMs: number
  /** From the first byte to the last, connecting included. */
  readonly totalMs: number
}

const defaultTimes: PosterTimes = { connectMs: 3000, totalMs: 10_000 }
/** An answer is of no interest; so much of it is read, so that its connection can be used again. */
const maxAnswerBytes = 16 * 1024

export class Poster {
  readonly #times: PosterTimes
  readonly #agent: Agent
  readonly #stopping = new AbortController()

  constructor(times: PosterTimes = defaultTimes) {
    this.#times = times
    this.#agent = new Agent({ connect: { timeout: times.connectMs }, pipelining: 1, keepAliveTimeout: 4000 })
  }

  /** Signed anew each time, so that the receiver can refuse what is old. Never rejects. */
  async post({ url, secret, id, body }: Posting): Promise<WebhookReply> {
    const timeS = Math.floor(Date.now() / 1000)
    const signal = AbortSignal.any([AbortSignal.timeout(this.#times.totalMs), this.#stopping.signal])
    try {
      const answer = await request(url, {
        method: 'POST',
        dispatcher: this.#agent,
        signal,
        headersTimeout: this.#times.totalMs,
        bodyTimeout: this.#times.totalMs,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'weir',
          'weir-webhook-id': id,
          'weir-webhook-timestamp': String(timeS),
          'weir-signature': signWebhook(secret, timeS, body),
        },
        body,
      })
      const { statusCode, headers } = answer
      // What it has said holds, also where the rest of it does not come.
      await answer.body.dump({ limit: maxAnswerBytes, signal }).catch(() => undefined)
      return { kind: 'status', status: statusCode, retryAfterMs: readRetryAfter(headers['retry-after']) }
    } catch (error) {
      return { kind: 'failure', reason: this.#stopping.signal.aborted ? 'stopped' : reasonOf(error) }
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#agent.destroy()
  }
}

/** Milliseconds; Retry-After holds seconds or a date. 0 where it says nothing. */
function readRetryAfter(header: string | readonly string[] | undefined): number {
  if (typeof header !== 'string') return 0
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? 0 : Math.max(ms, 0)
}

/** A code and no message: messages may have the URL in them. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  if (error.name === 'TimeoutError') return 'timeout'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
