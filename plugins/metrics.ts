import type { FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import fp from 'fastify-plugin'
import type { AdmissionEvents } from '../src/backend/admission.ts'
import type { GateChange } from '../src/backend/backend.ts'
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
  readonly admission: AdmissionMeters
  readonly configuration: ConfigurationMeters
  /** One request that the flood guard refused, by what its address has used up. */
  observeFloodDenial(reason: 'requests' | 'failures'): void
  /** Everything, in Prometheus' text format. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** What became of reading the configuration again. */
export interface ConfigurationMeters {
  reloaded(outcome: 'applied' | 'unchanged' | 'refused' | 'failed'): void
  /** It was read and taken; by the SHA-256 of its file, null where there is none. */
  loaded(digest: string | null): void
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
  setSuspected(isSuspected: boolean): void
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
      admission: buildAdmissionMeters(app.metrics.client),
      configuration: buildConfigurationMeters(app.metrics.client),
      observeFloodDenial: reason => floodDenials.inc({ reason }),
      expose: async () => ({ contentType: register.contentType, text: await register.metrics() }),
    })
  },
  { name: 'metrics' },
)

function buildConfigurationMeters({ Counter, Gauge }: FastifyInstance['metrics']['client']): ConfigurationMeters {
  const reloads = new Counter({
    name: 'weir_config_reloads_total',
    help: 'Times that the configuration was read again, by outcome.',
    labelNames: ['outcome'],
  })
  // There from the start, so that the first one is an increase.
  for (const outcome of ['applied', 'unchanged', 'refused', 'failed']) reloads.inc({ outcome }, 0)
  const successful = new Gauge({
    name: 'weir_config_last_reload_successful',
    help: '1 if the configuration could be used when it was last read, else 0: then the one before is in force.',
  })
  const readAt = new Gauge({
    name: 'weir_config_last_reload_timestamp_seconds',
    help: 'When the configuration was last read and could be used.',
  })
  const info = new Gauge({
    name: 'weir_config_info',
    help: 'Always 1; by the first 12 digits of the SHA-256 of its file, "none" where there is none.',
    labelNames: ['sha256'],
  })
  return {
    reloaded(outcome) {
      reloads.inc({ outcome })
      successful.set(outcome === 'applied' || outcome === 'unchanged' ? 1 : 0)
    },
    loaded(digest) {
      successful.set(1)
      readAt.set(Date.now() / 1000)
      info.reset()
      info.set({ sha256: digest?.slice(0, 12) ?? 'none' }, 1)
    },
  }
}

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

/** How calls get to backends. Tiers and backends are those of the configuration, so all labels are bounded. */
export interface AdmissionMeters extends AdmissionEvents {
  readonly onGate: (change: GateChange) => void
}

/** From a call that waits for nobody to the longest wait that makes sense. */
const waitBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60]
const gateNumbers = { closed: 0, 'half-open': 1, open: 2 } as const

function buildAdmissionMeters({ Counter, Gauge, Histogram }: FastifyInstance['metrics']['client']): AdmissionMeters {
  const waiting = new Gauge({
    name: 'weir_queue_requests',
    help: 'Requests that wait for a slot on a backend, by the tier of the caller.',
    labelNames: ['tier'],
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
    onWaiting: ({ tier }, change) => waiting.inc({ tier }, change),
    onAdmitted: ({ tier }, { waitedMs }) => wait.observe({ tier }, waitedMs / 1000),
    onRefused: ({ tier }, reason) => refusals.inc({ tier, reason }),
    onGate: ({ backend, endpoint, state }) => breakers.set({ backend, endpoint }, gateNumbers[state]),
  }
}
