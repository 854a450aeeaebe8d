export interface OutputBound {
  /** What the caller asks for; null when it gives no bound. */
  readonly asked: number | null
  /** The tier's: what it gives when nothing is asked, and the most it allows. */
  readonly tierDefault: number | null
  readonly tierCap: number | null
  readonly modelMax: number
  readonly contextLength: number | null
  readonly bodyBytes: number
  /** The engine refuses a bound that does not fit beside the prompt. */
  readonly mustFitContext: boolean
}

/**
 * The `max_tokens` that goes to the backend: always bounded, because engines run to the end of the context otherwise.
 * More than is allowed is cut, not refused.
 */
export function boundOutputTokens(bound: OutputBound): number {
  const most = Math.min(bound.modelMax, bound.tierCap ?? Number.POSITIVE_INFINITY)
  const wanted = Math.min(bound.asked ?? bound.tierDefault ?? most, most)
  if (!bound.mustFitContext || bound.contextLength === null || bound.asked !== null) return wanted
  // Nobody asked for this bound, so it must not be what fails the request. Three bytes a token is a low estimate for text.
  const room = bound.contextLength - Math.ceil(bound.bodyBytes / 3) - 64
  return Math.max(16, Math.min(wanted, room))
}
