/**
 * What is done once a request is over, exactly once, on the 'close' of its reply's socket: the only event that also comes
 * when the caller leaves in mid-stream. Today it writes the log line and observes the metrics and the experiment
 * that the request is part of.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type CallRecord, noteWithheld } from '../src/backend/call.ts'
import { isSampled } from '../src/domain/sampling.ts'
import { parseTraceparent } from '../src/domain/traceparent.ts'
import type { ErrorName, WeirError } from '../src/errors.ts'
import { armCallOf } from '../src/experiments/arm-call.ts'
import { costTextOf, forgetUsage, usageOf } from '../src/ledger/call-usage.ts'
import { buildEvent, type EndedRequest as EndedInference } from '../src/ledger/usage-records.ts'
import { interTokenMsOf, overheadMsOf } from '../src/usage/call-times.ts'
import { outcomeOf } from '../src/usage/outcome.ts'
import { type EndedRequest, isSuccess, requestLine } from '../src/usage/request-line.ts'
import { beginTrace } from './traces.ts'

declare module 'fastify' {
  interface FastifyRequest {
    startedAt: number
    /** What became of the call to a backend; null where none was made. */
    call: CallRecord | null
    /** What it was answered, where that was an error. */
    error: ErrorName | null
  }
  interface FastifyContextConfig {
    /** A stable name of what the route does, for logs, metrics and traces. */
    operation?: string
  }
}

export default fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('startedAt', 0)
    app.decorateRequest('call', null)
    app.decorateRequest('error', null)
    app.addHook('onRequest', (request, reply, done) => {
      beginRequest(request, reply)
      done()
    })
    app.addHook('onSend', (request, reply, payload, done) => {
      reply.header('openai-processing-ms', processingMs(request))
      // Of what is answered in one piece the call is over by now; a stream is written by hand, and says it at its end.
      const cost = costTold(request)
      if (cost !== null) reply.header('x-weir-cost', cost)
      done(null, payload)
    })
  },
  { name: 'usage', dependencies: ['configuration', 'metrics', 'traces'] },
)

/** From here on the request is noted down, whatever becomes of it. */
export function beginRequest(request: FastifyRequest, reply: FastifyReply): void {
  request.startedAt = performance.now()
  request.trace = beginTrace(request)
  request.server.meters.requests.began(operationOf(request))
  reply.header('x-request-id', request.id)
  // Those who end the call when its caller leaves listen to the same event, after us: what they find out belongs here.
  reply.raw.once('close', () => queueMicrotask(() => record(request, reply)))
}

/** The request is answered with this error, and with nothing else: who gets only an error pays nothing. */
export function noteError({ call = null }: FastifyRequest, error: WeirError): void {
  if (call === null) return
  noteWithheld(call, error)
  forgetUsage(call)
}

/** Whole milliseconds since the request came in. */
export const processingMs = (request: FastifyRequest): string =>
  String(Math.round(performance.now() - request.startedAt))

/** USD of what is or will be in the ledger, once the call is over; null where nothing is, or nothing has a price. */
export function costTold({ intent = null, inference = null }: FastifyRequest): string | null {
  if (intent === null || inference === null) return null
  const { call, demand } = inference
  return costTextOf({ record: call.record, model: call.model, demand, pricedAtMs: intent.atMs })
}

const operationOf = ({ routeOptions }: FastifyRequest): string => routeOptions.config.operation ?? 'other'

function record(request: FastifyRequest, reply: FastifyReply): void {
  // What Fastify refused before it looked for a route has none of what plugins put on requests.
  const { call = null, principal = null, model = null, assignment = null, error = null, trace = null } = request
  const operation = operationOf(request)
  const status = reply.raw.headersSent ? reply.raw.statusCode : 499
  const durationMs = performance.now() - request.startedAt
  const firstTokenMs = call?.firstContentAt == null ? null : call.firstContentAt - request.startedAt
  const outcome = outcomeOf({ error, fault: call?.fault?.kind ?? null, isDelivered: reply.raw.writableFinished })
  const { meters } = request.server
  meters.requests.ended(
    {
      ...{ operation, status, outcome },
      ...{ model: model?.model.id ?? null, backend: call?.backend ?? null, tier: principal?.tier ?? null },
    },
    {
      ...{ durationMs, firstTokenMs },
      interTokenMs: call === null ? null : interTokenMsOf(call),
      overheadMs: call === null ? null : overheadMsOf(call, request.startedAt),
    },
  )
  if (call !== null && model !== null) meters.observeAttempts(call, model.model.id)
  // What was refused before it was tried says nothing of an arm.
  if (assignment?.isCounted && call !== null) {
    request.server.experiments.observe(assignment, armCallOf(assignment, call, { status, firstTokenMs }))
  }
  recordUsage(request, { isDelivered: reply.raw.writableFinished, firstTokenMs, totalMs: durationMs })
  if (trace !== null) trace.end({ status, outcome, ...traced(request) })
  const ended: EndedRequest = {
    ...{ operation, status, error, principal, assignment, call, durationMs, firstTokenMs },
    isDelivered: reply.raw.writableFinished,
    traceId: trace?.traceId ?? parseTraceparent(request.headers['traceparent'])?.traceId ?? null,
    askedId: request.headers['x-request-id'],
    model: model?.model.id ?? null,
  }
  if (
    !isSuccess(ended) ||
    isSampled(ended.traceId ?? request.id, request.server.configuration.current.log.sampleSuccesses)
  )
    request.log.info(requestLine(ended), 'request')
}

const traced = ({ principal = null, model = null, call = null, inference = null }: FastifyRequest) => ({
  account: principal?.accountName ?? null,
  key: principal === null ? null : (principal.keyId ?? 'admin'),
  tier: principal?.tier ?? null,
  model: model?.model.id ?? null,
  answeredBy: call?.model?.id ?? null,
  backend: call?.backend ?? null,
  attempts: call?.attempts ?? 0,
  isStream: inference?.call.stream ?? null,
  usage: call?.usage ?? null,
})

/** What was kept before it ran is owed an event, whatever became of it. */
function recordUsage(
  { intent = null, inference, assignment, server }: FastifyRequest,
  ending: Pick<EndedInference, 'isDelivered' | 'firstTokenMs' | 'totalMs'>,
): void {
  if (intent === null || inference === null) return
  const { call, demand } = inference
  const event = buildEvent({ intent, call, demand, assignment, ...ending })
  server.ledger.record(event)
  server.meters.requests.used({ ...event, operation: event.endpoint })
  if (event.priceVersion === null) server.meters.ledger.unpriced()
  const { reused } = call.record
  if (reused === undefined) return
  const { savedNanoUsd: nanoUsd } = usageOf({ record: call.record, model: call.model, demand, pricedAtMs: intent.atMs })
  server.meters.cache.saved(call.model.id, { ...reused.usage, nanoUsd })
}
