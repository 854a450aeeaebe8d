import { datasource } from './datasource.ts'

/** One query of a panel. */
export interface Target {
  readonly expr: string
  /** What a series is called, in Grafana's words: `{{backend}}`. */
  readonly legend?: string
  /** Buckets of a histogram, for a heatmap. */
  readonly format?: 'time_series' | 'table' | 'heatmap'
  /** The last value alone. */
  readonly instant?: true
}

export function targetJson({ expr, legend, format = 'time_series', instant }: Target, index: number): object {
  return {
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource,
    expr,
    legendFormat: legend ?? '__auto',
    format,
    ...(instant === true ? { instant: true, range: false } : { instant: false, range: true }),
  }
}

/** The 50th, 95th and 99th percentile of a histogram, for each set of these labels. */
export function quantiles(metric: string, by: readonly string[] = []): readonly Target[] {
  return [0.5, 0.95, 0.99].map(quantile => quantileOf(metric, quantile, by))
}

/** `metric` with its filter, as `weir_x_seconds_bucket{…}`. */
export function quantileOf(metric: string, quantile: number, by: readonly string[] = []): Target {
  const series = by.map(label => `{{${label}}}`).join(' ')
  return {
    expr: `histogram_quantile(${quantile}, sum by (${['le', ...by].join(', ')}) (rate(${metric}[$__rate_interval])))`,
    legend: `${series} p${quantile * 100}`.trim(),
  }
}

/** Per second, summed for each set of these labels. */
export function rate(metric: string, ...by: readonly string[]): Target {
  const sum = by.length === 0 ? 'sum' : `sum by (${by.join(', ')})`
  const legend = by.map(label => `{{${label}}}`).join(' ')
  return { expr: `${sum} (rate(${metric}[$__rate_interval]))`, ...(legend !== '' && { legend }) }
}
