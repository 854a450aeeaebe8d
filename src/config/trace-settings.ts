/** OpenTelemetry's own variables, as far as its exporter does not read them itself: whether, how many and how often. */

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type SamplerName = (typeof samplers)[number]

export interface TraceSettings {
  /** Where spans are sent. */
  readonly url: string
  readonly sampler: SamplerName
  /** The share of traces that is sent, where the sampler goes by one. */
  readonly ratio: number
  /** Spans that wait to be sent; more are dropped. */
  readonly maxQueueSize: number
  readonly maxExportBatchSize: number
  readonly scheduledDelayMillis: number
  readonly exportTimeoutMillis: number
}

export interface FoundTraceSettings {
  /** Null where no endpoint is named. */
  readonly traces: TraceSettings | null
  readonly warnings: readonly string[]
}

/** What cannot be obeyed is warned of and passed over, as the specification of these variables asks. */
export function readTraceSettings(env: NodeJS.ProcessEnv): FoundTraceSettings {
  const warnings: string[] = []
  const url = endpointOf(env, warnings)
  if (url === null) return { traces: null, warnings }
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/json'
  if (protocol !== 'http/json') {
    const name = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']
      ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
      : 'OTEL_EXPORTER_OTLP_PROTOCOL'
    warnings.push(`environment ${name}: spans are sent as http/json, which every collector takes at its HTTP port`)
  }
  const wholeNumber = (name: string, byDefault: number, least: number): number => {
    const text = env[name] ?? ''
    if (text === '') return byDefault
    const isTaken = /^\d{1,9}$/.test(text.trim()) && Number(text) >= least
    if (!isTaken) warnings.push(`environment ${name}: not a whole number from ${least} up; ${byDefault} is used`)
    return isTaken ? Number(text) : byDefault
  }
  const maxQueueSize = Math.min(wholeNumber('OTEL_BSP_MAX_QUEUE_SIZE', 2048, 1), mostWaiting)
  return {
    traces: {
      url,
      ...samplerOf(env, warnings),
      maxQueueSize,
      maxExportBatchSize: Math.min(wholeNumber('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, 1), maxQueueSize),
      scheduledDelayMillis: wholeNumber('OTEL_BSP_SCHEDULE_DELAY', 5000, 1),
      exportTimeoutMillis: wholeNumber('OTEL_BSP_EXPORT_TIMEOUT', 30_000, 1),
    },
    warnings,
  }
}

/** A span takes about 2 KB. */
const mostWaiting = 100_000

function endpointOf(env: NodeJS.ProcessEnv, warnings: string[]): string | null {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return null
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? ''
  const shared = env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? ''
  if (own === '' && shared === '') return null
  const name = own === '' ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  // The one is for all signals and has no path yet, the other is taken as it is.
  const text = own === '' ? `${shared.replace(/\/$/, '')}/v1/traces` : own
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  warnings.push(
    `environment ${name}: not an http(s) URL, so no traces are sent; give one such as http://localhost:4318`,
  )
  return null
}

function samplerOf(env: NodeJS.ProcessEnv, warnings: string[]): Pick<TraceSettings, 'sampler' | 'ratio'> {
  const byDefault = 'parentbased_always_on'
  const name = env['OTEL_TRACES_SAMPLER']?.trim() ?? ''
  const sampler = samplers.find(known => known === name)
  if (name !== '' && sampler === undefined)
    warnings.push(`environment OTEL_TRACES_SAMPLER: not known, ${byDefault} is used; known are ${samplers.join(', ')}`)
  const text = env['OTEL_TRACES_SAMPLER_ARG']?.trim() ?? ''
  const ratio = text === '' ? 1 : Number(text)
  const isShare = ratio >= 0 && ratio <= 1
  if (!isShare) warnings.push('environment OTEL_TRACES_SAMPLER_ARG: not a share from 0 to 1; 1 is used')
  return { sampler: sampler ?? byDefault, ratio: isShare ? ratio : 1 }
}
