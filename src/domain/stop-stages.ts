/** When each stage of stopping begins or ends, in milliseconds from the signal. */
export interface StopStages {
  /** Until then new requests are served, also while none runs: a balancer takes a moment to see the readiness. */
  readonly servingMs: number
  /** From then on what runs gets an error event … */
  readonly endingMs: number
  /** … and what does not take that by then is cut off. */
  readonly cuttingMs: number
}

/** A grace of 30 s and a minimum drain of 5 s give 5, 20 and 27. */
export function stagesOf(graceMs: number, minDrainMs: number): StopStages {
  const endingMs = graceMs - Math.min(10_000, graceMs / 3)
  return {
    servingMs: Math.min(minDrainMs, endingMs),
    endingMs,
    cuttingMs: Math.max(graceMs - Math.min(3000, graceMs / 10), endingMs + 500),
  }
}

/**
 * How long new requests are served where nobody has said it. With the embedded database there is no other replica that they
 * could go to instead, and most often a person waits for the end.
 */
export const defaultMinDrainMs = (graceMs: number, isEmbedded: boolean): number =>
  isEmbedded ? 0 : Math.min(5000, graceMs / 6)
