import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { defaultAccount } from '../../src/store/accounts.ts'

/** An event as most are, or as `changes` say; its id is of its time. */
export function makeUsageEvent(changes: Partial<UsageEvent> = {}): UsageEvent {
  const atMs = changes.atMs ?? Date.parse('2026-03-14T15:09:26.535Z')
  return {
    id: makeTimeOrderedId(atMs),
    requestId: 'req_1',
    atMs,
    accountId: defaultAccount.id,
    keyId: 'k'.repeat(16),
    tier: 'free',
    model: 'small',
    endpoint: 'chat',
    isStream: true,
    attempts: [{ backend: 'one', model: 'small-q4', fault: null }],
    answeredModel: 'small',
    backend: 'one',
    target: 'small-q4',
    experiment: null,
    arm: null,
    inputTokens: 100,
    cachedInputTokens: 40,
    outputTokens: 20,
    reasoningTokens: null,
    isEstimate: false,
    priceVersion: 'v1',
    costNanoUsd: 1234,
    backendMs: 250.125,
    status: 'ok',
    error: null,
    queueMs: 1,
    firstTokenMs: 30,
    totalMs: 300,
    ...changes,
  }
}

/** All that a Date can say. */
export const allTime = { fromMs: 0, untilMs: Date.UTC(9999, 0) }

export const anyEvent = { range: allTime, accountId: null, keyId: null, model: null, status: null }
