import type { FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import fp from 'fastify-plugin'
import type { ArmCall } from '../src/domain/arm-tally.ts'
import type { Assignment } from '../src/domain/experiment.ts'
import type { Usage } from '../src/domain/usage.ts'

declare module 'fastify' {
  interface FastifyInstance {
    meters: Meters
  }
}

export interface Meters {
  /** One request, once, when its reply's socket closes. Times in milliseconds. */
  observeRequest(request: {
    readonly operation: string
    readonly status: number
    readonly durationMs: number
    readonly firstTokenMs: number | null
    readonly usage: Usage | null
  }): void
  readonly limits: LimitMeters
  /** One request that an arm of an experiment has answered. Their names are of the configuration, so labels are bounded. */
  observeArm(assignment: Pick<Assignment, 'experiment' | 'arm'>, call: ArmCall): void
  /** One request that the flood guard refused, by what its address has used up. */
  observeFloodDenial(reason: 'requests' | 'failures'): void
  /** Everything, in Prometheus' text format. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** How callers are kept to their limits. Tiers are those of the configuration, so all labels are bounded. */
export interface LimitMeters {
  decided(outcome: 'admitted' | 'denied' | 'unavailable'): void
  /** Which limit it was that denied. */
  denied(denial: { readonly limit: string; readonly of: string; readonly tier: string }): void
  /** What was held against what was used, in tokens. */
  settled(heldTokens: number, usedTokens: number): void
  observeRoundTrip(durationMs: number): void
  setLocal(isLocal: boolean): void
  setBacklog(waiting: number, dropped: number): void
}

/** Answers of language models take from milliseconds to many minutes. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]

export default fp(
  async (app: FastifyInstance) => {
    // The library's own route metrics miss streams that end early and cost more than everything else: only its registry
    // and the process metrics are used.
    await app.register(fastifyMetrics.default, {
      endpoint: null,
      clearRegisterOnInit: true,
      routeMetrics: { enabled: false },
      defaultMetrics: { enabled: true },
    })
    const { Counter, Histogram, register } = app.metrics.client
    const requests = new Counter({
      name: 'weir_requests_total',
      help: 'Requests answered, by operation and HTTP status.',
      labelNames: ['operation', 'status'],
    })
    const duration = new Histogram({
      name: 'weir_request_duration_seconds',
      help: 'From the first byte of a request to the last of its answer.',
      labelNames: ['operation'],
      buckets,
    })
    const firstToken = new Histogram({
      name: 'weir_time_to_first_token_seconds',
      help: 'From the first byte of a request to the first content of its answer.',
      labelNames: ['operation'],
      buckets,
    })
    const tokens = new Counter({
      name: 'weir_tokens_total',
      help: 'Tokens as the engines counted them.',
      labelNames: ['operation', 'kind'],
    })
    const floodDenials = new Counter({
      name: 'weir_flood_guard_denials_total',
      help: 'Requests refused before authentication, by what their address had used up.',
      labelNames: ['reason'],
    })
    // There from the start, so that the first denial is an increase.
    for (const reason of ['requests', 'failures']) floodDenials.inc({ reason }, 0)
    app.decorate('meters', {
      observeRequest({ operation, status, durationMs, firstTokenMs, usage }) {
        requests.inc({ operation, status })
        duration.observe({ operation }, durationMs / 1000)
        if (firstTokenMs !== null) firstToken.observe({ operation }, firstTokenMs / 1000)
        if (usage === null) return
        tokens.inc({ operation, kind: 'input' }, usage.inputTokens)
        tokens.inc({ operation, kind: 'cached_input' }, usage.cachedInputTokens)
        tokens.inc({ operation, kind: 'output' }, usage.outputTokens)
      },
      limits: buildLimitMeters(app.metrics.client),
      observeArm: buildArmMeter(app.metrics.client),
      observeFloodDenial: reason => floodDenials.inc({ reason }),
      expose: async () => ({ contentType: register.contentType, text: await register.metrics() }),
    })
  },
  { name: 'metrics' },
)

/** A round trip to Redis takes fractions of a millisecond; a busy one is waited for half a second at the most. */
const roundTripBuckets = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5]

function buildLimitMeters({ Counter, Gauge, Histogram }: FastifyInstance['metrics']['client']): LimitMeters {
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
    settled(heldTokens, usedTokens) {
      if (usedTokens < heldTokens) corrections.inc({ kind: 'refund' }, heldTokens - usedTokens)
      else if (usedTokens > heldTokens) corrections.inc({ kind: 'extra' }, usedTokens - heldTokens)
    },
    observeRoundTrip: durationMs => roundTrip.observe(durationMs / 1000),
    setLocal: isLocal => local.set(isLocal ? 1 : 0),
    setBacklog(waiting, total) {
      backlog.set(waiting)
      dropped.set(total)
    },
  }
}

function buildArmMeter({ Counter, Histogram }: FastifyInstance['metrics']['client']): Meters['observeArm'] {
  const requests = new Counter({
    name: 'weir_experiment_requests_total',
    help: 'Requests counted in experiments, by arm and outcome.',
    labelNames: ['experiment', 'arm', 'outcome'],
  })
  const tokens = new Counter({
    name: 'weir_experiment_tokens_total',
    help: 'Tokens of requests counted in experiments, by arm.',
    labelNames: ['experiment', 'arm', 'kind'],
  })
  const firstToken = new Histogram({
    name: 'weir_experiment_time_to_first_token_seconds',
    help: 'From the first byte of a request counted in an experiment to the first content of its answer.',
    labelNames: ['experiment', 'arm'],
    buckets,
  })
  return ({ experiment, arm }, { hasFailed, firstTokenMs, usage }) => {
    const labels = { experiment, arm }
    requests.inc({ ...labels, outcome: hasFailed ? 'error' : 'ok' })
    if (firstTokenMs !== null) firstToken.observe(labels, firstTokenMs / 1000)
    if (usage === null) return
    tokens.inc({ ...labels, kind: 'input' }, usage.inputTokens)
    tokens.inc({ ...labels, kind: 'output' }, usage.outputTokens)
  }
}
