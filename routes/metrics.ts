import type { FastifyInstance } from 'fastify'
import { commonErrors, keyErrors } from '../src/schemas/error-body.ts'
import { Type } from '../src/schemas/typebox.ts'

export interface MetricsOptions {
  /** Off loopback, without a listener of its own, the metrics are for administrators only. */
  readonly needsAdmin: boolean
}

const text = { schema: Type.String() }
const metricsAnswer = {
  description: 'All series.',
  content: { 'text/plain': text, 'application/openmetrics-text': text },
}

export default async function metrics(app: FastifyInstance, { needsAdmin }: MetricsOptions): Promise<void> {
  if (needsAdmin) {
    app.addHook('onRequest', app.authenticate)
    app.addHook('onRequest', app.requireScope('admin'))
  }
  app.get(
    '/metrics',
    {
      config: { operation: 'metrics', scope: needsAdmin ? 'admin' : 'public' },
      constraints: app.internal,
      schema: {
        operationId: 'getMetrics',
        tags: ['Operations'],
        summary: 'Metrics in the text format of Prometheus, or in OpenMetrics',
        ...(needsAdmin ? {} : { security: [] }),
        response: { 200: metricsAnswer, ...(needsAdmin ? keyErrors : commonErrors) },
      },
    },
    async (request, reply) => {
      const { contentType, text } = await app.meters.expose(request.headers.accept)
      return reply.type(contentType).send(text)
    },
  )
}
