import type { UsageEvent, UsageIntent } from './usage-event.ts'

/** What is charged for a request of which nobody knows what became of it; tokens, and nano-USD. */
export interface UnknownCharge {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNanoUsd: number
}

export type UnknownPolicy = (intent: UsageIntent) => UnknownCharge

/** Nothing: who runs the gateway bears what it lost. */
const chargeNothing: UnknownPolicy = () => ({ inputTokens: 0, outputTokens: 0, costNanoUsd: 0 })

/** All that was reserved: a backend may have worked to the end. */
const chargeReserved: UnknownPolicy = intent => ({
  inputTokens: intent.inputTokensAtMost,
  outputTokens: intent.outputTokensAtMost,
  costNanoUsd: intent.costAtMostNanoUsd,
})

/** By the name that the configuration gives it. */
export const policyOf = (name: 'free' | 'reserved'): UnknownPolicy => (name === 'free' ? chargeNothing : chargeReserved)

/** The event of an intent that its process did not live to finish. */
export function unknownEvent(intent: UsageIntent, policy: UnknownPolicy): UsageEvent {
  const { inputTokensAtMost, outputTokensAtMost, costAtMostNanoUsd, ...origin } = intent
  return {
    ...origin,
    ...policy(intent),
    attempts: [],
    answeredModel: null,
    backend: null,
    target: null,
    experiment: null,
    arm: null,
    cachedInputTokens: 0,
    reasoningTokens: null,
    isEstimate: true,
    backendMs: 0,
    status: 'unknown',
    error: null,
    queueMs: 0,
    firstTokenMs: null,
    totalMs: 0,
  }
}
