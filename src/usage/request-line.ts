/** What the log tells of a request that has ended: who asked for what, where it went, and what came of it; none of its content. */
import type { CallRecord } from '../backend/call.ts'
import type { ErrorName } from '../errors.ts'
import { wordsOf } from './outcome.ts'

export interface EndedRequest {
  readonly operation: string
  /** 499 where it left before there was one. */
  readonly status: number
  readonly error: ErrorName | null
  /** Whether its caller was there to the end. */
  readonly isDelivered: boolean
  readonly traceId: string | null
  /** The caller's own id for it, as it was sent. */
  readonly askedId: string | string[] | undefined
  readonly principal: { readonly accountName: string; readonly keyId: string | null } | null
  readonly model: string | null
  readonly assignment: { readonly experiment: string; readonly arm: string } | null
  readonly call: CallRecord | null
  readonly durationMs: number
  readonly firstTokenMs: number | null
}

/** A caller's own request id is kept beside ours if it is short and harmless. */
const harmlessId = /^[A-Za-z0-9._:-]{1,128}$/

/** The fields of its line, by the names of docs/LOGS.md. What there was none of is left out. */
export function requestLine(ended: EndedRequest): Record<string, unknown> {
  const { operation, status, traceId, askedId, principal, model, assignment, call } = ended
  return {
    operation,
    status,
    outcome: outcomeOf(ended),
    durationMs: hundredths(ended.durationMs),
    ...(traceId === null ? {} : { traceId }),
    ...(typeof askedId === 'string' && harmlessId.test(askedId) ? { clientRequestId: askedId } : {}),
    ...(principal === null ? {} : { account: principal.accountName, key: principal.keyId ?? 'admin' }),
    ...(model === null ? {} : { model }),
    ...(assignment === null ? {} : { experiment: assignment.experiment, arm: assignment.arm }),
    ...(call === null ? {} : callFields(call)),
    ...(ended.firstTokenMs === null ? {} : { firstTokenMs: hundredths(ended.firstTokenMs) }),
  }
}

/** Whether all of it went well; what did not is always told. */
export const isSuccess = (ended: EndedRequest): boolean => ended.status < 400 && outcomeOf(ended) === 'ok'

/** Of a call how it ended there; else the name of the error. */
function outcomeOf({ call, error, isDelivered }: EndedRequest): string {
  const fault = call?.fault ?? null
  if (fault !== null) return fault.kind
  if (!isDelivered) return 'client-gone'
  return error === null ? 'ok' : wordsOf(error)
}

const callFields = (call: CallRecord) => ({
  ...(call.backend === null ? {} : { backend: call.backend }),
  ...(call.target === null ? {} : { target: call.target.model }),
  attempts: call.attempts,
  ...(call.reused === undefined
    ? {}
    : { reusedTokens: call.reused.usage.inputTokens + call.reused.usage.outputTokens }),
  ...(call.attempts > 1 ? { tries: call.tries } : {}),
  ...(call.fault === null ? {} : { reason: call.fault.message }),
  ...(call.queueMs > 0 ? { queueMs: hundredths(call.queueMs) } : {}),
  ...(call.usage === null
    ? {}
    : {
        inputTokens: call.usage.inputTokens,
        cachedInputTokens: call.usage.cachedInputTokens,
        outputTokens: call.usage.outputTokens,
      }),
})

const hundredths = (ms: number): number => Math.round(ms * 100) / 100
