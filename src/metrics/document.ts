/** docs/METRICS.md, made of the metrics themselves. */
import type { Meters } from './meters.ts'

/** Of the client library: what its types leave out is read with care. */
interface RegisteredMetric {
  readonly name: string
  readonly help: string
  readonly type: unknown
}

export interface DescribedMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
  readonly buckets: readonly number[]
}

/** Every metric of Weir's own, in the order of their names; `meters` are those of the registry. */
export function describeMetrics(
  { ledger, states }: Pick<Meters, 'ledger' | 'states'>,
  registry: { getMetricsAsArray(): readonly RegisteredMetric[] },
): readonly DescribedMetric[] {
  // Those that are made only where there is something to look at.
  ledger.watch(() => ({ waiting: 0, open: 0, bytes: 0 }))
  states.watchBackends(() => [])
  states.watchDatabase(() => ({ isUp: true, connections: 0, statements: { running: 0, waiting: 0 } }))
  states.watchIssuers(() => [])
  states.watchRedis(() => ({ isUp: true, pending: 0 }))
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('weir_'))
    .map(describe)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function describe(metric: RegisteredMetric): DescribedMetric {
  const list = (property: string): readonly unknown[] => {
    const value: unknown = Reflect.get(metric, property)
    return Array.isArray(value) ? value : []
  }
  const labels = list('labelNames').filter(label => label !== 'le')
  return {
    name: metric.name,
    type: String(metric.type),
    help: metric.help,
    labels: labels.map(String),
    buckets: list('upperBounds').map(Number).filter(Number.isFinite),
  }
}

const heads = ['name', 'type', 'labels', 'what']

const cellsOf = ({ name, type, labels, help }: DescribedMetric) => [
  `\`${name}\``,
  type,
  labels.map(label => `\`${label}\``).join(', '),
  help,
]

/** With columns of one width, as the formatter would have them. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map(row => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(heads), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

const bucketsOf = ({ name, buckets }: DescribedMetric) => `- \`${name}\`: ${buckets.join(', ')}`

/** The whole file. */
export function metricsDocument(described: readonly DescribedMetric[]): string {
  const histograms = described.filter(({ type }) => type === 'histogram')
  return `# Metrics

GET /metrics has them in the text format of Prometheus, and in OpenMetrics for a scrape that would rather have that. This page
is made by \`node scripts/write-metrics.ts\` from the program itself.

Labels are the program's own words or names of the configuration: \`operation\` is what a route does, \`model\`, \`backend\` and
\`tier\` are those of weir.yaml, or \`none\`. No key, account or path is ever a label. Times are in seconds. A request counts
once, when its connection is done with it, also where its caller has left.

${table(described.map(cellsOf))}

The process itself is in \`process_*\` and \`nodejs_*\`, as the client library calls them: CPU, memory, open files, the lag of
the event loop, garbage collections, handles.

## Buckets

In seconds, but for \`weir_queue_position\`, which is in requests.

${histograms.map(bucketsOf).join('\n')}
`
}
