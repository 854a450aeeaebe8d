import type { MetricsClient } from './client.ts'

export interface TraceMeters {
  sent(spans: number): void
  /** `queue_full`, or `not_taken` by the collector. */
  dropped(spans: number, reason: string): void
}

export function buildTraceMeters({ Counter }: MetricsClient): TraceMeters {
  const sent = new Counter({
    name: 'weir_trace_spans_sent_total',
    help: 'Spans that the collector of traces has taken.',
  })
  const dropped = new Counter({
    name: 'weir_trace_spans_dropped_total',
    help: 'Spans that were given up: queue_full where too many waited, not_taken where the collector failed or refused.',
    labelNames: ['reason'],
  })
  for (const reason of ['queue_full', 'not_taken']) dropped.inc({ reason }, 0)
  return {
    sent: spans => sent.inc(spans),
    dropped: (spans, reason) => dropped.inc({ reason }, spans),
  }
}
