/** The two formats in which Prometheus reads metrics. */
import { preferredOf } from '../usage/media-type.ts'

const prometheus = 'text/plain'
const openMetrics = 'application/openmetrics-text'

export const metricsTypes = {
  [prometheus]: 'text/plain; version=0.0.4; charset=utf-8',
  [openMetrics]: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const

export interface Exposed {
  readonly contentType: string
  readonly text: string
}

/** Everything, as the `accept` of a scrape would rather have it. */
export type Exposition = (accept?: string) => Promise<Exposed>

export function buildExposition(registry: { metrics(): Promise<string> }): Exposition {
  return async accept => {
    const text = await registry.metrics()
    const type = preferredOf([prometheus, openMetrics], accept)
    return { contentType: metricsTypes[type], text: type === prometheus ? text : toOpenMetrics(text) }
  }
}

/**
 * The same as OpenMetrics 1.0. The library can write that as well, but renames its counters for good when it does, so that
 * the other format has other names from then on.
 */
export function toOpenMetrics(text: string): string {
  const lines: string[] = []
  const counters = new Set(Array.from(text.matchAll(/^# TYPE (\S+) counter$/gm), ([, name = '']) => name))
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment === null) lines.push(line)
    else {
      const [, word = '', name = '', rest = ''] = comment
      // A counter is called by what it counts, and each of its series ends in `_total`; what does not is none.
      const isTotal = name.endsWith('_total')
      const family = counters.has(name) && isTotal ? name.slice(0, -'_total'.length) : name
      const type = counters.has(name) && !isTotal ? 'unknown' : rest
      lines.push(word === 'TYPE' ? `# TYPE ${family} ${type}` : `# HELP ${family} ${rest.replaceAll('"', '\\"')}`)
    }
  }
  return `${lines.join('\n')}\n# EOF\n`
}
