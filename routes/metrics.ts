import type { FastifyInstance } from 'fastify'

export interface MetricsOptions {
  /** Off loopback, without a listener of its own, the metrics are for administrators only. */
  readonly needsAdmin: boolean
}

export default async function metrics(app: FastifyInstance, { needsAdmin }: MetricsOptions): Promise<void> {
  if (needsAdmin) {
    app.addHook('onRequest', app.authenticate)
    app.addHook('onRequest', app.requireScope('admin'))
  }
  app.get(
    '/metrics',
    {
      config: { operation: 'metrics', ...(needsAdmin ? { scope: 'admin' as const } : {}) },
      constraints: app.internal,
      schema: {
        tags: ['Operations'],
        summary: 'Metrics in the Prometheus text format',
        ...(needsAdmin ? {} : { security: [] }),
        produces: ['text/plain'],
      },
    },
    async (_request, reply) => {
      const { contentType, text } = await app.meters.expose()
      return reply.type(contentType).send(text)
    },
  )
}
