/**
 * What is done once a request is over, exactly once, on the 'close' of its reply's socket: the only event that also comes
 * when the caller leaves in mid-stream. Today it writes the log line and observes the metrics and the
 * experiment that the request is part of.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { CallRecord } from '../src/backend/call.ts'
import { armCallOf } from '../src/experiments/arm-call.ts'

declare module 'fastify' {
  interface FastifyRequest {
    startedAt: number
    /** What became of the call to a backend; null where none was made. */
    call: CallRecord | null
  }
  interface FastifyContextConfig {
    /** A stable name of what the route does, for logs, metrics and traces. */
    operation?: string
  }
}

/** A caller's own request id is kept beside ours if it is short and harmless. */
const clientRequestId = /^[A-Za-z0-9._:-]{1,128}$/

export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('startedAt', 0)
    app.decorateRequest('call', null)
    app.addHook('onRequest', (request, reply, done) => {
      beginRequest(request, reply)
      done()
    })
    app.addHook('onSend', (request, reply, payload, done) => {
      reply.header('openai-processing-ms', processingMs(request))
      done(null, payload)
    })
  },
  { name: 'usage', dependencies: ['metrics'] },
)

/** From here on the request is noted down, whatever becomes of it. */
export function beginRequest(request: FastifyRequest, reply: FastifyReply): void {
  request.startedAt = performance.now()
  reply.header('x-request-id', request.id)
  // Those who end the call when its caller leaves listen to the same event, after us: what they find out belongs here.
  reply.raw.once('close', () => queueMicrotask(() => record(request, reply)))
}

/** Whole milliseconds since the request came in. */
export const processingMs = (request: FastifyRequest): string =>
  String(Math.round(performance.now() - request.startedAt))

function record(request: FastifyRequest, reply: FastifyReply): void {
  // What Fastify refused before it looked for a route has none of what plugins put on requests.
  const { call = null, principal = null, model = null, assignment = null } = request
  const operation = request.routeOptions.config.operation ?? 'other'
  const status = reply.raw.headersSent ? reply.raw.statusCode : 499
  const durationMs = performance.now() - request.startedAt
  const firstTokenMs = call?.firstContentAt == null ? null : call.firstContentAt - request.startedAt
  request.server.meters.observeRequest({ operation, status, durationMs, firstTokenMs, usage: call?.usage ?? null })
  if (assignment?.isCounted) {
    request.server.experiments.observe(assignment, armCallOf(assignment, call, { status, firstTokenMs }))
  }
  const asked = request.headers['x-request-id']
  request.log.info(
    {
      operation,
      status,
      durationMs: Math.round(durationMs * 100) / 100,
      ...(typeof asked === 'string' && clientRequestId.test(asked) ? { clientRequestId: asked } : {}),
      ...(principal === null ? {} : { account: principal.accountName, key: principal.keyId ?? 'admin' }),
      ...(model === null ? {} : { model: model.model.id }),
      ...(assignment === null ? {} : { experiment: assignment.experiment, arm: assignment.arm }),
      ...(call === null ? {} : callFields(call, reply.raw.writableFinished)),
      ...(firstTokenMs === null ? {} : { firstTokenMs: Math.round(firstTokenMs * 100) / 100 }),
    },
    'request',
  )
}

const callFields = (call: CallRecord, isDelivered: boolean) => ({
  backend: call.backend,
  attempts: call.attempts,
  outcome: call.fault?.kind ?? (isDelivered ? 'ok' : 'client-gone'),
  ...(call.fault === null ? {} : { reason: call.fault.message }),
  ...(call.usage === null
    ? {}
    : {
        inputTokens: call.usage.inputTokens,
        cachedInputTokens: call.usage.cachedInputTokens,
        outputTokens: call.usage.outputTokens,
      }),
})
