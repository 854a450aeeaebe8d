import type { Call, Reused } from '../backend/call.ts'
import type { Fault } from '../backend/fault.ts'
import type { Json } from '../domain/chat-event.ts'
import type { Usage } from '../domain/usage.ts'

/** An answer that is whole. */
export interface WholeAnswer {
  /** As the backend gave it, or as it was put together of its events. */
  readonly answer: Json
  readonly usage: Usage | null
  /** The model that gave it, another one after a fallback. */
  readonly answeredBy: string | null
}

/** One of those who wait for the same answer. */
export interface Member {
  readonly call: Call
  /** Whether it has been given something of the answer. */
  readonly isShown: boolean
  /** It reads slower than the answer comes. */
  readonly isSlow: boolean
  /** The number of the next event that it needs; null where it waits for the whole. */
  readonly position: number | null
  /** There is more. */
  advance(): void
  /** What has come is void. */
  restart(): void
  /** `isPayer`: what the backend did is on its record; for all others it was there already. */
  finish(whole: WholeAnswer, isPayer: boolean): void
  /** The call has failed, or its caller has left. */
  fail(fault: Fault): void
  /** The call has failed for a reason that was its payer's own. */
  tryAgain(fault: Fault): void
}

/** What a caller had that left before the end, or that was cut off: pieces of output, and no more is known. */
export const reusedPieces = (pieces: number, priceShare: number): Reused => ({
  usage: { inputTokens: 0, cachedInputTokens: 0, outputTokens: pieces, reasoningTokens: null },
  priceShare,
})
