/** The two records of a request: its intent, before anything is sent, and its event, once it is over. */
import type { Call } from '../backend/call.ts'
import { isLeaving } from '../backend/fault.ts'
import type { Demand } from '../domain/demand.ts'
import type { Assignment } from '../domain/experiment.ts'
import type { Principal } from '../domain/principal.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import type { UsageEvent, UsageIntent, UsageStatus } from '../domain/usage-event.ts'
import { usageOf } from './call-usage.ts'

export interface PreparedRequest {
  readonly requestId: string
  readonly principal: Principal
  readonly call: Call
  readonly demand: Demand
  /** When it came in and by the prices of when, in milliseconds since 1970. */
  readonly atMs: number
}

export function buildIntent({ requestId, principal, call, demand, atMs }: PreparedRequest): UsageIntent {
  return {
    id: makeTimeOrderedId(atMs),
    requestId,
    atMs,
    accountId: principal.accountId,
    keyId: principal.keyId,
    tier: principal.tier,
    model: call.model.id,
    endpoint: call.operation,
    isStream: call.stream,
    inputTokensAtMost: demand.promptTokens,
    outputTokensAtMost: demand.outputTokens,
    priceVersion: demand.price?.version ?? null,
    costAtMostNanoUsd: demand.nanoUsd,
  }
}

export interface EndedRequest {
  readonly intent: UsageIntent
  readonly call: Call
  readonly demand: Demand
  readonly assignment: Assignment | null
  /** Whether its caller was there to the end. */
  readonly isDelivered: boolean
  readonly firstTokenMs: number | null
  readonly totalMs: number
}

export function buildEvent(ended: EndedRequest): UsageEvent {
  const { intent, call, demand, assignment, firstTokenMs, totalMs } = ended
  const { record, model } = call
  const { inputTokensAtMost: _in, outputTokensAtMost: _out, costAtMostNanoUsd: _cost, ...origin } = intent
  const usage = usageOf({ record, model, demand, pricedAtMs: intent.atMs })
  const answered = usage.isServed ? record : null
  const last = record.tries.at(-1)
  const status = statusOf(ended)
  return {
    ...origin,
    attempts: record.tries,
    answeredModel: answered?.model?.id ?? (record.reused === undefined ? null : (record.givenBy ?? model).id),
    backend: answered?.backend ?? null,
    target: answered === null ? null : (last?.model ?? null),
    // Who has an arm without taking part would make the arms' sums those of other callers than are compared.
    experiment: assignment?.isCounted ? assignment.experiment : null,
    arm: assignment?.isCounted ? record.arm : null,
    inputTokens: usage.inputTokens,
    cachedInputTokens: usage.cachedInputTokens,
    outputTokens: usage.outputTokens,
    reasoningTokens: usage.reasoningTokens,
    isEstimate: usage.isEstimate,
    priceVersion: usage.price?.version ?? null,
    costNanoUsd: usage.costNanoUsd,
    backendMs: usage.backendMs,
    status,
    error: record.fault?.kind ?? faultless[status] ?? null,
    queueMs: record.queueMs,
    firstTokenMs,
    totalMs,
  }
}

/** What went wrong where no call to a backend did: the caller left before it or after it, or the mistake is ours. */
const faultless: Partial<Record<UsageStatus, string>> = { client_cancel: 'client-gone', error: 'internal' }

function statusOf({ call: { record }, isDelivered }: EndedRequest): UsageStatus {
  const { fault, firstContentAt, attempts, reused } = record
  if (fault !== null && isLeaving(fault.kind)) return 'client_cancel'
  if (fault !== null) return firstContentAt === null ? 'error' : 'partial'
  if (!isDelivered) return 'client_cancel'
  if (attempts > 0) return 'ok'
  return reused === undefined ? 'error' : 'cache_hit'
}
