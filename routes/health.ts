import type { FastifyInstance } from 'fastify'
import type { Readiness } from '../src/readiness.ts'
import { jsonAnswer } from '../src/schemas/answer-parts.ts'
import { commonErrors } from '../src/schemas/error-body.ts'
import { Type } from '../src/schemas/typebox.ts'

const StatusSchema = Type.Object(
  {
    status: Type.Unsafe<'ok' | 'degraded' | 'stopping' | 'starting'>(
      Type.String({ enum: ['ok', 'degraded', 'stopping', 'starting'] }),
    ),
  },
  { title: 'Health' },
)

export interface HealthOptions {
  readonly readiness: Readiness
}

/** For probes and monitors: cheap, without authentication, and nothing about the inside to strangers. */
export default async function health(app: FastifyInstance, { readiness }: HealthOptions): Promise<void> {
  const options = (operationId: string, summary: string) => ({
    config: { operation: 'health', scope: 'public' as const },
    constraints: app.internal,
    logLevel: 'warn' as const,
    schema: {
      operationId,
      tags: ['Health'],
      summary,
      security: [],
      response: {
        200: jsonAnswer('Yes.', StatusSchema),
        503: jsonAnswer(
          'No: it starts, stops, or lacks something without which all inference is refused.',
          StatusSchema,
        ),
        ...commonErrors,
      },
    },
  })
  app.get('/health', options('getHealth', 'A summary for people and monitors'), async (_request, reply) => {
    const { verdict } = readiness
    if (verdict === 'starting' || verdict === 'stopping') return reply.code(503).send({ status: verdict })
    return { status: verdict === 'degraded' || isDegraded(app) ? 'degraded' : 'ok' }
  })
  app.get('/health/live', options('getLiveness', 'Whether the process is alive'), async () => ({ status: 'ok' }))
  app.get('/health/ready', options('getReadiness', 'Whether it should get traffic'), async (_request, reply) => {
    const { verdict } = readiness
    return verdict === 'ready' ? { status: 'ok' } : reply.code(503).send({ status: verdict })
  })
}

/** Whether something is missing that callers may notice, though the process does its work. */
function isDegraded({ database, redisHealth, engine, backends }: FastifyInstance): boolean {
  const engineState = engine?.process.available().kind
  return (
    database.state !== 'ready' ||
    redisHealth.state === 'down' ||
    engineState === 'failed' ||
    engineState === 'unavailable' ||
    Object.values(backends.states()).some(state => state.kind === 'down')
  )
}
