import type { AdmissionEvents } from '../backend/admission-events.ts'
import type { GateChange } from '../backend/backend-events.ts'
import { endpointNames } from '../schemas/config/models.ts'
import type { MetricsClient } from './client.ts'

/**
 * How calls get to backends. Tiers and backends are those of the configuration, so all labels are bounded. Calls without a tier
 * are nobody's, so that nobody has waited.
 */
export interface AdmissionMeters extends AdmissionEvents {
  readonly onGate: (change: GateChange) => void
  /** The backend of this name is no more, or another one has begun in its place. */
  readonly onGone: (backend: string) => void
}

/** From a call that waits for nobody to the longest wait that makes sense. */
const waitBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60]
const positionBuckets = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
const gateNumbers = { closed: 0, 'half-open': 1, open: 2 } as const

export function buildAdmissionMeters({ Counter, Gauge, Histogram }: MetricsClient): AdmissionMeters {
  const waiting = new Gauge({
    name: 'weir_queue_requests',
    help: 'Requests that wait for a slot on a backend, by the tier of the caller.',
    labelNames: ['tier'],
  })
  const position = new Histogram({
    name: 'weir_queue_position',
    help: 'How many requests were before one that began to wait for a slot; 1000 stands for more as well.',
    labelNames: ['tier'],
    buckets: positionBuckets,
  })
  const wait = new Histogram({
    name: 'weir_queue_wait_seconds',
    help: 'How long requests waited for a slot, those included that found one free.',
    labelNames: ['tier'],
    buckets: waitBuckets,
  })
  const refusals = new Counter({
    name: 'weir_queue_refusals_total',
    help: 'Requests that got no slot: too many waited, none came free in time, or no backend takes any.',
    labelNames: ['tier', 'reason'],
  })
  const breakers = new Gauge({
    name: 'weir_backend_breaker_state',
    help: 'Of the circuit breaker of a backend and endpoint: 0 closed, 1 half open, 2 open.',
    labelNames: ['backend', 'endpoint'],
  })
  return {
    onJoined({ tier }, before) {
      if (tier === null) return
      waiting.inc({ tier })
      position.observe({ tier }, before)
    },
    onLeft: ({ tier }) => tier !== null && waiting.dec({ tier }),
    onAdmitted: ({ tier }, { waitedMs }) => tier !== null && wait.observe({ tier }, waitedMs / 1000),
    onRefused: ({ tier }, reason) => tier !== null && refusals.inc({ tier, reason }),
    onGate: ({ backend, endpoint, state }) => breakers.set({ backend, endpoint }, gateNumbers[state]),
    onGone: backend => {
      for (const endpoint of endpointNames) breakers.remove({ backend, endpoint })
    },
  }
}
