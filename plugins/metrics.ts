import type { FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import fp from 'fastify-plugin'
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
  /** One request that the flood guard refused, by what its address has used up. */
  observeFloodDenial(reason: 'requests' | 'failures'): void
  /** Everything, in Prometheus' text format. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>
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
      observeFloodDenial: reason => floodDenials.inc({ reason }),
      expose: async () => ({ contentType: register.contentType, text: await register.metrics() }),
    })
  },
  { name: 'metrics' },
)
