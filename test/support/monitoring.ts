/** What monitoring/ holds, as the tests read it. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { monitoring } from './prometheus.ts'

export interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface DashboardFile {
  readonly uid: string
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly targets: readonly { readonly refId: string; readonly expr: string }[]
  }[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

export const readMonitoring = (path: string) => readFileSync(join(monitoring, path), 'utf8')
/** YAML or JSON. */
export const parseMonitoring = (path: string): unknown => parse(readMonitoring(path))

export function readRules(): readonly Rule[] {
  const { groups } = parseMonitoring('alerts.yml') as { groups: { rules: Rule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

export function readDashboards(): readonly DashboardFile[] {
  const files = globSync('grafana/dashboards/*.json', { cwd: monitoring }).sort()
  return files.map(file => parseMonitoring(file) as DashboardFile)
}

export interface PanelQuery {
  /** Dashboard, panel and query, as `weir-overview 7 A`. */
  readonly name: string
  readonly title: string
  readonly expr: string
}

export function readQueries(): readonly PanelQuery[] {
  return readDashboards().flatMap(({ uid, panels }) =>
    panels.flatMap(({ id, title, targets }) =>
      targets.map(({ refId, expr }) => ({ name: `${uid} ${id} ${refId}`, title, expr })),
    ),
  )
}

/** As Grafana fills it in where all of everything is chosen. */
export function filledIn(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '15s')
    .replaceAll('$__range', '1m')
    .replaceAll(/\$(instance|model|backend|tier)\b/g, '.*')
}
