/** A call that is made for all members of a flight, and whose record it is on. */
import type { Call, CallRecord } from '../backend/call.ts'
import type { Fault } from '../backend/fault.ts'

/** As the leader's, but for what changes as others come and leave: who pays, and the latest deadline. */
export function shareCall(leader: Call, payer: () => CallRecord, untilMs: () => number): Call {
  return {
    ...leader,
    caller: {
      ...leader.caller,
      get deadlineMs() {
        return untilMs()
      },
    },
    get record() {
      return payer()
    },
  }
}

/**
 * Its caller leaves, and somebody else who waits for the same answer stays: what the backend does is done for that one from now
 * on. `from` is left as if nothing had been sent for it.
 */
export function handOver(from: CallRecord, to: CallRecord): void {
  const { backend, model, target, arm, attempts, tries, queueMs, usage, dispatch } = from
  Object.assign(to, { backend, model, target, arm, attempts, queueMs, usage })
  to.tries.push(...tries)
  to.firstContentAt ??= from.firstContentAt
  if (dispatch !== undefined) to.dispatch = dispatch
  Object.assign(from, { backend: null, model: null, target: null, arm: null, attempts: 0, usage: null })
  from.tries.length = 0
  delete from.dispatch
}

/** The call was stopped as nobody waited any more; this is why the last one did not. */
export function noteLeft(record: CallRecord, fault: Fault): void {
  record.fault = fault
  const tried = record.tries.at(-1)
  if (tried !== undefined) tried.fault = fault.kind
}
