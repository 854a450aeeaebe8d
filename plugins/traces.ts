/** Traces of requests, by OpenTelemetry; where nobody is to get them none of it is loaded. */
import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import type { TraceSettings } from '../src/config/trace-settings.ts'
import { reasonOf } from '../src/log/describe-error.ts'
import type { SpanEvents } from '../src/traces/open-telemetry.ts'
import type { RequestTrace, StepName, Traces } from '../src/traces/request-trace.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Null where nobody is to get any. */
    readonly traces: Traces | null
  }
  interface FastifyRequest {
    /** Null where it is not traced. */
    trace: RequestTrace | null
  }
}

interface TracesOptions {
  readonly settings: TraceSettings | null
  /** Of Weir. */
  readonly version: string
}

/** Asked for every few seconds by machines, and the same each time. */
const untraced: ReadonlySet<string> = new Set(['health', 'metrics'])

export default fp<TracesOptions>(
  async (app, { settings, version }) => {
    app.decorateRequest('trace', null)
    if (settings === null) {
      app.decorate('traces', null)
      return
    }
    const { startOpenTelemetry } = await import('../src/traces/open-telemetry.ts')
    const traces = startOpenTelemetry({ settings, version, events: observe(app) })
    app.decorate('traces', traces)
    // Whoever is in a hurry does not wait for a collector.
    app.addHook('onClose', () => Promise.race([traces.stop(), app.drain.hurried]))
  },
  { name: 'traces', fastify: '5.x', dependencies: ['drain', 'metrics'] },
)

/** Begins the trace of a request; null where there is to be none. */
export function beginTrace({ server, method, routeOptions, headers, id }: FastifyRequest): RequestTrace | null {
  const operation = routeOptions.config.operation ?? 'other'
  if (server.traces === null || untraced.has(operation)) return null
  const { traceparent, tracestate } = headers
  return server.traces.begin({
    ...{ method, operation, traceparent, tracestate },
    route: routeOptions.url,
    requestId: id,
  })
}

/** `done` of a hook that is a step of the request; the same `done` where nobody traces. */
export function tracedStep(
  { trace = null }: FastifyRequest,
  name: StepName,
  done: HookHandlerDoneFunction,
): HookHandlerDoneFunction {
  if (trace === null) return done
  const step = trace.begin(name)
  return error => {
    step.end(error)
    done(error)
  }
}

/** Counts what becomes of spans, and says when the collector begins or ends to take none. */
function observe({ log, meters }: FastifyInstance): SpanEvents {
  let isTaken = true
  return {
    onSent: spans => {
      meters.traces.sent(spans)
      if (!isTaken) log.info('traces: the collector takes spans again')
      isTaken = true
    },
    onDropped: (spans, reason, error) => {
      meters.traces.dropped(spans, reason)
      if (reason === 'queue_full' || !isTaken) return
      log.warn({ spans, reason: reasonOf(error) }, 'traces: the collector does not take spans; they are dropped')
      isTaken = false
    },
  }
}
