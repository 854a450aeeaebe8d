/** How an event is signed on its way to a receiver, and what becomes of a try. */
import { createHmac } from 'node:crypto'

/**
 * The value of `weir-signature` for a body that is sent at `timeS`, seconds since 1970: an HMAC of time and body together, so
 * that neither can be changed and an old one cannot be sent again later.
 */
export function signWebhook(secret: string, timeS: number, body: string): string {
  return `t=${timeS},v1=${createHmac('sha256', secret).update(`${timeS}.${body}`).digest('hex')}`
}

/** What a receiver has said, or why it said nothing. */
export type WebhookReply =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs: number }
  | { readonly kind: 'failure'; readonly reason: string }

/** `gone`: it never wants to hear of it again. `failed`: it may take it later. */
export type TryOutcome = 'delivered' | 'gone' | 'failed'

/** A redirect is none that is followed: whoever can answer one could name any place. */
export function outcomeOfReply(reply: WebhookReply): TryOutcome {
  if (reply.kind === 'failure') return 'failed'
  if (reply.status >= 200 && reply.status < 300) return 'delivered'
  return reply.status === 410 ? 'gone' : 'failed'
}

const firstWaitMs = 1000
const maxWaitMs = 3_600_000

/**
 * How long to wait after so many tries, in milliseconds: full jitter over a bound that doubles from a second to an hour, as in
 * "Exponential Backoff And Jitter" (M. Brooker, AWS, 2015), and within that hour as long as the receiver asked for. `random`
 * in [0, 1).
 */
export function redeliveryWaitMs(tries: number, random: number, leastMs = 0): number {
  const jittered = random * Math.min(maxWaitMs, firstWaitMs * 2 ** Math.max(0, tries - 1))
  return Math.round(Math.max(jittered, Math.min(leastMs, maxWaitMs)))
}
