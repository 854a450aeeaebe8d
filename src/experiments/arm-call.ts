import type { CallRecord } from '../backend/call.ts'
import type { FaultKind } from '../backend/fault.ts'
import type { ArmCall } from '../domain/arm-tally.ts'
import type { Participation } from '../domain/experiment.ts'

/** What would have come of any arm: the caller's doing, or ours. */
const nobodysFault: ReadonlySet<FaultKind> = new Set(['client', 'context', 'client-gone', 'client-stall', 'shutdown'])

interface Ending {
  readonly status: number
  readonly firstTokenMs: number | null
}

/**
 * What an experiment keeps of a request that is over. One that another arm or another model has answered, because its own
 * could not, is a failure of its own, and no figure of that answer is.
 */
export function armCallOf(
  { participant, arm }: Participation,
  record: CallRecord,
  { status, firstTokenMs }: Ending,
): ArmCall {
  const { fault, usage, attempts } = record
  if (attempts > 0 && record.arm !== arm) {
    return { participant, hasFailed: true, firstTokenMs: null, interTokenMs: null, usage: null }
  }
  // A call that never got to a backend is refused without a fault.
  const hasFailed = fault === null ? status >= 500 : !nobodysFault.has(fault.kind)
  return { participant, hasFailed, firstTokenMs, interTokenMs: interTokenMsOf(record), usage }
}

/** Between the tokens of a whole answer, all of its choices together. */
function interTokenMsOf({ fault, firstContentAt, dispatch, usage }: CallRecord): number | null {
  if (fault !== null) return null
  const endedAt = dispatch?.endedAt ?? null
  const tokens = usage?.outputTokens ?? dispatch?.pieces ?? 0
  return firstContentAt === null || endedAt === null || tokens < 2 ? null : (endedAt - firstContentAt) / (tokens - 1)
}
