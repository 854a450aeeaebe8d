/** How long parts of a call took, in milliseconds; null where there was no such part. */
import type { CallRecord } from '../backend/call.ts'

/** Between two tokens, on average. Only a stream has its first token before its last. */
export function interTokenMsOf({ firstContentAt, usage, dispatch }: CallRecord): number | null {
  const endedAt = dispatch?.endedAt ?? null
  if (firstContentAt === null || endedAt === null || usage === null) return null
  const tookMs = endedAt - firstContentAt
  return usage.outputTokens < 2 || tookMs <= 0 ? null : tookMs / (usage.outputTokens - 1)
}

/**
 * What the gateway itself took before the call was sent, which does not include the wait for a slot. `startedAt`: when the
 * request came, by the monotonic clock. Of a call that was tried again nobody can say: backends had their part in it.
 */
export function overheadMsOf({ dispatch, attempts, queueMs }: CallRecord, startedAt: number): number | null {
  return dispatch === undefined || attempts > 1 ? null : Math.max(0, dispatch.sentAt - startedAt - queueMs)
}
