import Fastify, { type FastifyInstance } from 'fastify'
import fastifyMetrics from 'fastify-metrics'
import fp from 'fastify-plugin'
import { type DescribedMetric, describeMetrics } from '../src/metrics/document.ts'
import { buildExposition, type Exposition } from '../src/metrics/exposition.ts'
import { buildMeters, type Meters } from '../src/metrics/meters.ts'

declare module 'fastify' {
  interface FastifyInstance {
    meters: Meters & { readonly expose: Exposition }
  }
}

export interface MetricsOptions {
  /** Of Weir. */
  readonly version: string
}

/** What a gateway exposes, for docs/METRICS.md. */
export async function listMetrics(): Promise<readonly DescribedMetric[]> {
  const app = Fastify()
  await app.register(metrics, { version: '' })
  const described = describeMetrics(app.meters, app.metrics.client.register)
  await app.close()
  return described
}

const metrics = fp<MetricsOptions>(
  async (app: FastifyInstance, { version }) => {
    // The library's own route metrics miss streams that end early and cost more than everything else: only its registry
    // and the process metrics are used.
    await app.register(fastifyMetrics.default, {
      endpoint: null,
      clearRegisterOnInit: true,
      routeMetrics: { enabled: false },
      defaultMetrics: {
        enabled: true,
        eventLoopUtilizationTimeout: 1000,
        // For each fifth of it that the clock has moved the library makes an empty digest, in one loop: with its default of
        // a minute, a machine that learns the date after the start (one without a clock begins in 1970) would block for
        // minutes.
        eventLoopUtilizationMaxAgeSeconds: 7 * 86_400,
      },
    })
    const { client } = app.metrics
    app.decorate('meters', { ...buildMeters(client, version), expose: buildExposition(client.register) })
  },
  { name: 'metrics' },
)

export default metrics
