import type { EndpointName } from '../schemas/config/models.ts'

/**
 * How a request ended, as far as it decides what it costs: `ok`, whole; `partial`, content came and then it broke off;
 * `client_cancel`, the caller left; `error`, nothing came of it; `cache_hit`, no backend was asked; `unknown`, this process
 * ended before it did, so that only its intent is known. Who was refused before anything was asked of a backend (401, 403, 429
 * and the like) is no event at all; whoever was let in is one, also where it failed and costs nothing.
 */
export type UsageStatus = 'ok' | 'partial' | 'client_cancel' | 'error' | 'cache_hit' | 'unknown'

/** What an intent and its event have in common. */
interface UsageOrigin {
  /** A UUIDv7 of ours, made with the intent: the event has the same, and so nothing can be recorded twice. */
  readonly id: string
  readonly requestId: string
  /** When the request came, in milliseconds since 1970; the periods it belongs to are those of this time, UTC. */
  readonly atMs: number
  readonly accountId: string
  /** Null for tokens of an identity provider and for the administrator's own key. */
  readonly keyId: string | null
  readonly tier: string
  /** The public name of the model that was asked, aliases resolved. */
  readonly model: string
  readonly endpoint: EndpointName
  readonly isStream: boolean
}

/** Written before anything is sent to a backend: what a request may cost at most, should nobody live to say what it did. */
export interface UsageIntent extends UsageOrigin {
  readonly inputTokensAtMost: number
  readonly outputTokensAtMost: number
  /** See UsageEvent. */
  readonly priceVersion: string | null
  readonly costAtMostNanoUsd: number
}

/** One try at a backend. */
export interface UsageAttempt {
  readonly backend: string
  /** The backend's own name for the model. */
  readonly model: string
  /** How it failed; null for the one that answered. At most one of a request is null. */
  readonly fault: string | null
}

/** What one request used and what it costs: one immutable record, with no prompt and no answer in it. */
export interface UsageEvent extends UsageOrigin {
  /** In their order; empty where no backend was asked. */
  readonly attempts: readonly UsageAttempt[]
  /** The model that answered, another one after a fallback; null where none did, and then it costs nothing. */
  readonly answeredModel: string | null
  /** Where it answered, or was at it when the caller left; null where no backend did. */
  readonly backend: string | null
  /** The backend's own name for the model. */
  readonly target: string | null
  readonly experiment: string | null
  readonly arm: string | null
  readonly inputTokens: number
  /** The part of the input that came from a prompt cache. */
  readonly cachedInputTokens: number
  readonly outputTokens: number
  /** The part of the output that was reasoning; null where the engine does not say. */
  readonly reasoningTokens: number | null
  /** The tokens are not the engine's word. */
  readonly isEstimate: boolean
  /** Which price it was counted by; null where its model has none, and then the cost is 0. */
  readonly priceVersion: string | null
  /** Rounded once, half up; everything above is a sum of these. */
  readonly costNanoUsd: number
  /** How long a backend was busy with it. */
  readonly backendMs: number
  readonly status: UsageStatus
  /**
   * What its caller was told, or that it left, by the kind of fault; null where all went well. It need not be what the last
   * attempt came to: after two lost connections a caller may be told that all are busy. The attempts say the rest.
   */
  readonly error: string | null
  /** The wait for a slot on a backend, also where its caller left meanwhile or it got none. */
  readonly queueMs: number
  /** From the request to the first content; null where none came. */
  readonly firstTokenMs: number | null
  readonly totalMs: number
}
