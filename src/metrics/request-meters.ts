import { callBuckets } from './buckets.ts'
import type { MetricsClient } from './client.ts'

/** What a request was, in words of which there are only so many: of the program or of the configuration. */
export interface RequestLabels {
  readonly operation: string
  /** As the configuration calls it; null where none was asked for that there is. */
  readonly model: string | null
  /** Null where none was asked. */
  readonly backend: string | null
  readonly tier: string | null
  readonly status: number
  /** See outcomeOf. */
  readonly outcome: string
}

/** How long it took, in milliseconds; null is what there was none of. */
export interface RequestTimes {
  readonly durationMs: number
  readonly firstTokenMs: number | null
  /** Between two tokens of its answer, on average. */
  readonly interTokenMs: number | null
  /** Before it was sent to a backend, the wait for a slot apart. */
  readonly overheadMs: number | null
}

export interface RequestUse {
  readonly operation: string
  readonly model: string
  readonly tier: string
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number | null
  readonly costNanoUsd: number
}

/** What becomes of requests. Each is observed once, when its reply's socket closes, so that those count whose callers left. */
export interface RequestMeters {
  began(operation: string): void
  ended(labels: RequestLabels, times: RequestTimes): void
  streamBegan(): void
  streamEnded(): void
  /** What it used and cost, as the ledger has it. */
  used(use: RequestUse): void
}

const interTokenBuckets = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.5, 1, 2.5]
const overheadBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
const none = 'none'

export function buildRequestMeters(client: MetricsClient): RequestMeters {
  const meters = makeMeters(client)
  return {
    began: operation => meters.running.inc({ operation }),
    ended({ operation, model, backend, tier, status, outcome }, times) {
      const { durationMs, firstTokenMs, interTokenMs, overheadMs } = times
      const asked = { operation, model: model ?? none }
      meters.running.dec({ operation })
      meters.requests.inc({ ...asked, backend: backend ?? none, tier: tier ?? none, status, outcome })
      meters.duration.observe(asked, durationMs / 1000)
      if (firstTokenMs !== null) meters.firstToken.observe(asked, firstTokenMs / 1000)
      if (interTokenMs !== null) meters.interToken.observe({ model: asked.model }, interTokenMs / 1000)
      if (overheadMs !== null) meters.overhead.observe({ operation }, overheadMs / 1000)
    },
    streamBegan: () => meters.streams.inc(),
    streamEnded: () => meters.streams.dec(),
    used({ operation, model, tier, costNanoUsd, ...tokens }) {
      const labels = { operation, model, tier }
      meters.tokens.inc({ ...labels, kind: 'input' }, tokens.inputTokens)
      meters.tokens.inc({ ...labels, kind: 'cached_input' }, tokens.cachedInputTokens)
      meters.tokens.inc({ ...labels, kind: 'output' }, tokens.outputTokens)
      if (tokens.reasoningTokens !== null) meters.tokens.inc({ ...labels, kind: 'reasoning' }, tokens.reasoningTokens)
      meters.cost.inc({ model, tier }, costNanoUsd / 1e9)
    },
  }
}

function makeMeters({ Counter, Gauge, Histogram }: MetricsClient) {
  return {
    requests: new Counter({
      name: 'weir_requests_total',
      help: 'Requests that have ended, by what they were and how they ended: ok, client_cancel, or the code of an error.',
      labelNames: ['operation', 'model', 'backend', 'tier', 'status', 'outcome'],
    }),
    running: new Gauge({
      name: 'weir_requests_running',
      help: 'Requests that have no complete answer yet.',
      labelNames: ['operation'],
    }),
    streams: new Gauge({
      name: 'weir_streams_running',
      help: 'Requests for a stream that are being answered, or wait for it.',
    }),
    duration: new Histogram({
      name: 'weir_request_duration_seconds',
      help: 'From the first byte of a request to the last of its answer.',
      labelNames: ['operation', 'model'],
      buckets: callBuckets,
    }),
    firstToken: new Histogram({
      name: 'weir_time_to_first_token_seconds',
      help: 'From the first byte of a request to the first content of its answer.',
      labelNames: ['operation', 'model'],
      buckets: callBuckets,
    }),
    interToken: new Histogram({
      name: 'weir_inter_token_latency_seconds',
      help: 'Between two tokens of a stream: one value for each, its time after the first token by the tokens after it.',
      labelNames: ['model'],
      buckets: interTokenBuckets,
    }),
    overhead: new Histogram({
      name: 'weir_gateway_overhead_seconds',
      help: 'What the gateway itself adds: from the first byte of a request until it is sent to a backend, without its wait for a slot.',
      labelNames: ['operation'],
      buckets: overheadBuckets,
    }),
    tokens: new Counter({
      name: 'weir_tokens_total',
      help: 'Tokens used, as the ledger has them. Of input, cached_input is a part, and of output reasoning.',
      labelNames: ['operation', 'model', 'tier', 'kind'],
    }),
    cost: new Counter({
      name: 'weir_cost_usd_total',
      help: 'What requests have cost, in USD. The ledger is exact; this is a sum of floating-point numbers.',
      labelNames: ['model', 'tier'],
    }),
  }
}
