import type { MetricsClient } from './client.ts'

/** How callers are kept to their limits. Tiers are those of the configuration, so all labels are bounded. */
export interface LimitMeters {
  decided(outcome: 'admitted' | 'denied' | 'unavailable'): void
  /** Which limit it was that denied. */
  denied(denial: { readonly limit: string; readonly of: string; readonly tier: string }): void
  /** Denials that were counted for the database and never got there. */
  droppedDenials(denials: number): void
  /** What was held against what was used, in tokens. */
  settled(heldTokens: number, usedTokens: number): void
  observeRoundTrip(durationMs: number): void
  setLocal(isLocal: boolean): void
  setSuspected(isSuspected: boolean): void
  setBacklog(waiting: number, dropped: number): void
}

/** A round trip to Redis takes fractions of a millisecond; a busy one is waited for half a second at the most. */
const roundTripBuckets = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5]

export function buildLimitMeters({ Counter, Gauge, Histogram }: MetricsClient): LimitMeters {
  const reservations = new Counter({
    name: 'weir_limit_reservations_total',
    help: 'Requests held against the limits of their callers, by outcome.',
    labelNames: ['outcome'],
  })
  const denials = new Counter({
    name: 'weir_limit_denials_total',
    help: 'Requests denied, by the limit that denied them, whose it was, and the tier of the caller.',
    labelNames: ['limit', 'of', 'tier'],
  })
  const droppedDenials = new Counter({
    name: 'weir_limit_denials_dropped_total',
    help: 'Denials missing in GET /admin/usage/denials, because the database did not take their counts in time.',
  })
  const corrections = new Counter({
    name: 'weir_limit_correction_tokens_total',
    help: 'Tokens that a settlement gave back (refund) or added (extra) to what had been reserved.',
    labelNames: ['kind'],
  })
  const roundTrip = new Histogram({
    name: 'weir_limit_script_duration_seconds',
    help: 'Round trip of one reservation to Redis.',
    buckets: roundTripBuckets,
  })
  const local = new Gauge({
    name: 'weir_limit_local_mode',
    help: '1 while this replica keeps to its part of the limits alone, because Redis does not answer.',
  })
  const suspected = new Gauge({
    name: 'weir_limit_redis_suspected',
    help: '1 while Redis is silent and who certainly fits does not wait for it.',
  })
  const backlog = new Gauge({
    name: 'weir_limit_backlog',
    help: 'Settlements that Redis has still to be told.',
  })
  const dropped = new Gauge({
    name: 'weir_limit_backlog_dropped',
    help: 'Settlements that were given up since the start, because too many waited; what they held stays held.',
  })
  return {
    decided: outcome => reservations.inc({ outcome }),
    denied: labels => denials.inc(labels),
    droppedDenials: denials => droppedDenials.inc(denials),
    settled(heldTokens, usedTokens) {
      if (usedTokens < heldTokens) corrections.inc({ kind: 'refund' }, heldTokens - usedTokens)
      else if (usedTokens > heldTokens) corrections.inc({ kind: 'extra' }, usedTokens - heldTokens)
    },
    observeRoundTrip: durationMs => roundTrip.observe(durationMs / 1000),
    setLocal: isLocal => local.set(isLocal ? 1 : 0),
    setSuspected: isSuspected => suspected.set(isSuspected ? 1 : 0),
    setBacklog(waiting, total) {
      backlog.set(waiting)
      dropped.set(total)
    },
  }
}
