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
      defaultMetrics: { enabled: true },
    })
    const { client } = app.metrics
    app.decorate('meters', { ...buildMeters(client, version), expose: buildExposition(client.register) })
  },
  { name: 'metrics' },
)

export default metrics
