/** Usage records, and marks that no ledger reaches. */
import { policyOf, unknownEvent } from '../../src/domain/unknown-usage.ts'
import type { UsageEvent, UsageIntent } from '../../src/domain/usage-event.ts'

const none = Number.POSITIVE_INFINITY
export const noMarks = { highBytes: none, fullBytes: none, highFreeBytes: 0, fullFreeBytes: 0 }

export function makeIntent(id: string): UsageIntent {
  return {
    id,
    requestId: `request-${id}`,
    atMs: 1_795_000_000_000,
    accountId: 'acme',
    keyId: 'k1',
    tier: 'free',
    model: 'chat',
    endpoint: 'chat',
    isStream: false,
    inputTokensAtMost: 100,
    outputTokensAtMost: 50,
    priceVersion: 'p1',
    costAtMostNanoUsd: 1500,
  }
}

export function makeEvent(id: string): UsageEvent {
  return {
    ...unknownEvent(makeIntent(id), policyOf('reserved')),
    attempts: [{ backend: 'b1', model: 'm', fault: null }],
    answeredModel: 'chat',
    backend: 'b1',
    target: 'm',
    inputTokens: 10,
    outputTokens: 5,
    isEstimate: false,
    costNanoUsd: 150,
    backendMs: 20,
    status: 'ok',
    totalMs: 25,
  }
}
