import type { Usage } from './usage.ts'

/** What is known of a request once it is over. */
export interface Outcome {
  /** Whether anything was sent to a backend. */
  readonly isSent: boolean
  /** It failed or was refused, other than by its caller's leaving. */
  readonly hasFailed: boolean
  /** Whether something that the caller learns from has come. */
  readonly hasContent: boolean
  /** Pieces of output that came: at least one token each. */
  readonly pieces: number
  /** As the engine reported it last; null where it did not. */
  readonly usage: Usage | null
  /** False where a part of the choices may not have reported yet. */
  readonly isUsageWhole: boolean
}

/** Tokens that were held for a request before it ran. */
export interface ReservedTokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What a request really used. */
export interface Settlement {
  readonly requests: 0 | 1
  readonly inputTokens: number
  /** The part of the input that came from the engine's prompt cache; never more than the input. */
  readonly cachedInputTokens: number
  readonly outputTokens: number
  /** The part of the output that was reasoning; null where the engine does not say, and where no output counts. */
  readonly reasoningTokens: number | null
  /** The tokens are not the engine's word. */
  readonly isEstimate: boolean
}

const nothing: Settlement = {
  requests: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: null,
  isEstimate: false,
}

/**
 * What of a reservation a request has used. Whatever nobody can have worked on is given back whole; what failed before the
 * caller had anything of it costs the request and no tokens; the engine's report is believed to the letter, also where it
 * says 0 or more than was reserved. Without one, the prompt counts as reserved, since nothing proves that less of it was
 * read, and the output as the pieces that came, within what was reserved: they are a lower bound of its tokens.
 */
export function settlementOf(outcome: Outcome, reserved: ReservedTokens): Settlement {
  const { isSent, hasFailed, hasContent, pieces, usage, isUsageWhole } = outcome
  if (!isSent) return nothing
  if (hasFailed && !hasContent) return { ...nothing, requests: 1 }
  if (usage !== null && isUsageWhole)
    return { requests: 1, ...usage, cachedInputTokens: cachedOf(usage), isEstimate: false }
  // A report of some of the choices is what was used at least.
  const { inputTokens: leastInput, outputTokens: leastOutput } = usage ?? { inputTokens: 0, outputTokens: 0 }
  return {
    requests: 1,
    inputTokens: Math.max(reserved.inputTokens, leastInput),
    cachedInputTokens: usage === null ? 0 : cachedOf(usage),
    outputTokens: Math.max(Math.min(pieces, reserved.outputTokens), leastOutput),
    reasoningTokens: usage?.reasoningTokens ?? null,
    isEstimate: true,
  }
}

const cachedOf = ({ inputTokens, cachedInputTokens }: Usage): number => Math.min(inputTokens, cachedInputTokens)
