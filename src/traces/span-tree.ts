/** The spans of one request, and how they hang together. */
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { type Fault, isLeaving } from '../backend/fault.ts'
import { formatTraceparent, parseTraceparent } from '../domain/traceparent.ts'
import type { Usage } from '../domain/usage.ts'
import { WeirError } from '../errors.ts'
import { wordsOf } from '../usage/outcome.ts'
import {
  attemptAttributes,
  attemptName,
  endAttributes,
  requestAttributes,
  requestName,
  usageAttributes,
} from './attributes.ts'
import type { AttemptStart, AttemptTrace, RequestEnd, RequestStart, RequestTrace } from './request-trace.ts'

/** Longer ones are none (§3.3.1.5: what is not propagated whole is dropped). */
const maxStateChars = 512
const nothing = { end() {} }

/** Begins the span of a request: a child of the caller's, where it has sent one. */
export function beginRequestTrace(tracer: Tracer, about: RequestStart): RequestTrace {
  const clock = startClock()
  const options = { kind: SpanKind.SERVER, attributes: requestAttributes(about), startTime: clock() }
  const span = tracer.startSpan(requestName(about), options, contextOf(about))
  const { traceId } = span.spanContext()
  const state = stateOf(about)
  if (!span.isRecording()) {
    const headers = headersOf(span, state)
    return { traceId, begin: () => nothing, attempt: () => ({ headers, firstToken() {}, end() {} }), end() {} }
  }
  const within = trace.setSpan(ROOT_CONTEXT, span)
  let provider: string | null = null
  return {
    traceId,
    begin: step => {
      const child = tracer.startSpan(step, { startTime: clock() }, within)
      return {
        end: error => {
          if (error !== undefined && error !== null) noteError(child, error)
          child.end(clock())
        },
      }
    },
    attempt: start => {
      provider = start.engine ?? provider
      return beginAttempt({ tracer, within, clock, state }, start)
    },
    end: ended => {
      span.setAttributes(endAttributes(ended, provider))
      if (isFailure(ended)) fail(span, ended.outcome)
      span.end(clock())
    },
  }
}

interface Place {
  readonly tracer: Tracer
  readonly within: Context
  readonly clock: () => number
  /** Of the caller, for backends. */
  readonly state: string
}

function beginAttempt({ tracer, within, clock, state }: Place, start: AttemptStart): AttemptTrace {
  const startTime = clock()
  const options = { kind: SpanKind.CLIENT, attributes: attemptAttributes(start), startTime }
  const span = tracer.startSpan(attemptName(start), options, within)
  return {
    headers: headersOf(span, state),
    firstToken: () => {
      tracer.startSpan('first token', { startTime }, trace.setSpan(within, span)).end(clock())
    },
    end: (fault: Fault | null, usage: Usage | null) => {
      if (!span.isRecording()) return
      span.setAttributes(usageAttributes(usage))
      span.setAttribute('weir.outcome', fault?.kind ?? 'ok')
      if (fault !== null && !isLeaving(fault.kind)) fail(span, fault.kind)
      span.end(clock())
    },
  }
}

/** Milliseconds since 1970, by one clock for all spans of a request: so they lie within each other. */
function startClock(): () => number {
  const offsetMs = Date.now() - performance.now()
  return () => offsetMs + performance.now()
}

function contextOf({ traceparent }: RequestStart): Context {
  const parent = parseTraceparent(traceparent)
  if (parent === null) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: parent.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  })
}

/** The caller's tracestate. Backends get it, but no span has it: whatever a caller writes there would go to the collector. */
function stateOf({ traceparent, tracestate }: RequestStart): string {
  if (typeof tracestate !== 'string' || tracestate.length > maxStateChars) return ''
  return parseTraceparent(traceparent) === null ? '' : createTraceState(tracestate).serialize()
}

function headersOf(span: Span, state: string): Readonly<Record<string, string>> {
  const { traceId, spanId, traceFlags } = span.spanContext()
  const traceparent = formatTraceparent({ traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 })
  return state === '' ? { traceparent } : { traceparent, tracestate: state }
}

/** A refusal is what a step is there for; only what failed on our side is an error. */
function noteError(span: Span, error: unknown): void {
  const outcome = error instanceof WeirError ? wordsOf(error.kind) : 'internal'
  span.setAttribute('weir.outcome', outcome)
  if (!(error instanceof WeirError) || error.statusCode >= 500) fail(span, outcome)
}

/** By HTTP's conventions a 4xx is no error of the server; what broke after a 200 is one. */
const isFailure = ({ status, outcome }: RequestEnd): boolean =>
  status >= 500 || (status < 400 && outcome !== 'ok' && outcome !== 'client_cancel')

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}
