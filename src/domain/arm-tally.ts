import { emptyHistogram, type LatencyHistogram, recordLatency } from './latency-histogram.ts'
import type { Usage } from './usage.ts'

/** What is kept of the requests that one arm of an experiment has answered: under 200 KB, however many there were. */
export interface ArmTally {
  requests: number
  errors: number
  inputTokens: number
  outputTokens: number
  /** From the first byte of the request to the first content of its answer. */
  readonly firstToken: LatencyHistogram
  /** Of each request the mean between its tokens. */
  readonly interToken: LatencyHistogram
  /** Requests by participant: see Assignment. */
  readonly participants: Map<number, number>
}

/** What became of one request. */
export interface ArmCall {
  readonly participant: number
  /** Other than by its caller's doing. */
  readonly hasFailed: boolean
  /** In milliseconds; null where nothing came. */
  readonly firstTokenMs: number | null
  /** The mean of it, in milliseconds; null where there were not two tokens. */
  readonly interTokenMs: number | null
  readonly usage: Usage | null
}

/** More are not told apart: what there is to know from them is known by then. */
const maxParticipants = 2000

export const emptyTally = (): ArmTally => ({
  requests: 0,
  errors: 0,
  inputTokens: 0,
  outputTokens: 0,
  firstToken: emptyHistogram(),
  interToken: emptyHistogram(),
  participants: new Map(),
})

export function tallyCall(
  tally: ArmTally,
  { participant, hasFailed, firstTokenMs, interTokenMs, usage }: ArmCall,
): void {
  tally.requests += 1
  if (hasFailed) tally.errors += 1
  tally.inputTokens += usage?.inputTokens ?? 0
  tally.outputTokens += usage?.outputTokens ?? 0
  if (firstTokenMs !== null) recordLatency(tally.firstToken, firstTokenMs)
  if (interTokenMs !== null) recordLatency(tally.interToken, interTokenMs)
  const known = tally.participants.get(participant)
  if (known !== undefined || tally.participants.size < maxParticipants)
    tally.participants.set(participant, (known ?? 0) + 1)
}

/**
 * As many participants with the same number of requests each would say as much: one that sends nearly all of them counts
 * for little more than one (Kish, Survey Sampling, 1965).
 */
export function effectiveParticipants({ participants }: ArmTally): number {
  let sum = 0
  let squares = 0
  for (const requests of participants.values()) {
    sum += requests
    squares += requests * requests
  }
  return squares === 0 ? 0 : (sum * sum) / squares
}
