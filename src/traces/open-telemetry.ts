/** OpenTelemetry's SDK, with bounds. This file is loaded only where traces are sent somewhere. */
import type { Context } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type Span,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { SamplerName, TraceSettings } from '../config/trace-settings.ts'
import type { Traces } from './request-trace.ts'
import { beginRequestTrace } from './span-tree.ts'

export interface SpanEvents {
  readonly onSent: (spans: number) => void
  /** Its error is told for failed ones. */
  readonly onDropped: (spans: number, reason: 'queue_full' | 'not_taken', error?: unknown) => void
}

export interface OpenTelemetryOptions {
  readonly settings: TraceSettings
  /** Of Weir. */
  readonly version: string
  readonly events: SpanEvents
}

/** A stop waits no longer for the collector. */
const stopMs = 3000
const maxValueChars = 256

export function startOpenTelemetry({ settings, version, events }: OpenTelemetryOptions): Traces {
  const { sampler, ratio, maxQueueSize, maxExportBatchSize, scheduledDelayMillis, exportTimeoutMillis } = settings
  const queue = { waiting: 0 }
  const sender = new OTLPTraceExporter({ url: settings.url })
  const batches = new BatchSpanProcessor({
    ...{ maxQueueSize, maxExportBatchSize, scheduledDelayMillis, exportTimeoutMillis },
    exporter: counted(sender, queue, events),
  })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'weir', 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: buildSampler(sampler, ratio),
    spanLimits: { attributeValueLengthLimit: maxValueChars },
    spanProcessors: [bounded(batches, queue, { maxQueueSize, events })],
  })
  const tracer = provider.getTracer('weir', version)
  return {
    begin: about => beginRequestTrace(tracer, about),
    stop: async () => {
      const { promise: expired, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, stopMs)
      // What could not be sent has been counted.
      await Promise.race([provider.shutdown().catch(() => undefined), expired])
      clearTimeout(timer)
    },
  }
}

/** Spans that have ended and are not being sent yet. */
interface Queue {
  waiting: number
}

/** The SDK drops what its queue has no room for without a word: here the last one that fits is the same, and the rest counted. */
function bounded(
  inner: SpanProcessor,
  queue: Queue,
  { maxQueueSize, events }: { readonly maxQueueSize: number; readonly events: SpanEvents },
): SpanProcessor {
  return {
    onStart: (span: Span, parent: Context) => inner.onStart(span, parent),
    onEnd: (span: ReadableSpan) => {
      if (queue.waiting >= maxQueueSize) return events.onDropped(1, 'queue_full')
      queue.waiting += 1
      inner.onEnd(span)
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  }
}

function counted(inner: SpanExporter, queue: Queue, { onSent, onDropped }: SpanEvents): SpanExporter {
  return {
    export: (spans, done) => {
      queue.waiting -= spans.length
      inner.export(spans, result => {
        // 0 is its word for success.
        if (result.code === 0) onSent(spans.length)
        else onDropped(spans.length, 'not_taken', result.error)
        done(result)
      })
    },
    shutdown: () => inner.shutdown(),
    forceFlush: async () => await inner.forceFlush?.(),
  }
}

function buildSampler(name: SamplerName, ratio: number): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler()
    case 'always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio)
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
  }
}
