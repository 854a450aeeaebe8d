import { datasource } from './datasource.ts'
import { type Target, targetJson } from './target.ts'

/** Grafana's names of units. */
export type Unit = 'short' | 's' | 'reqps' | 'ops' | 'percentunit' | 'bytes' | 'currencyUSD' | 'none'

/** From this value on, green where it is null. */
export interface Step {
  readonly from: number
  readonly colour: 'green' | 'yellow' | 'orange' | 'red'
}

export interface Panel {
  /** Alerts link to it: never another one's. */
  readonly id: number
  readonly title: string
  /** What it shows, and what to make of it. */
  readonly description: string
  readonly kind: 'stat' | 'timeseries' | 'state-timeline' | 'table' | 'heatmap'
  readonly unit: Unit
  readonly targets: readonly Target[]
  /** Of 24. */
  readonly width: 4 | 6 | 8 | 12 | 24
  /** The colour below the first step; green unless told. */
  readonly base?: Step['colour']
  readonly steps?: readonly Step[]
  /** What values are called: `{ 0: 'down', 1: 'up' }`. */
  readonly words?: Readonly<Record<number, string>>
  readonly decimals?: number
  readonly max?: number
  readonly isStacked?: true
}

export interface Place {
  readonly x: number
  readonly y: number
}

export const heightOf = ({ kind }: Panel) => (kind === 'stat' ? 4 : 8)

export function panelJson(panel: Panel, { x, y }: Place): object {
  const { id, title, description, kind, targets, width } = panel
  return {
    id,
    type: kind,
    title,
    description,
    datasource,
    gridPos: { x, y, w: width, h: heightOf(panel) },
    targets: targets.map(targetJson),
    fieldConfig: { defaults: fieldsOf(panel), overrides: [] },
    options: optionsOf(panel),
    ...(kind === 'table' && {
      transformations: [{ id: 'organize', options: { excludeByName: { Time: true, Value: true } } }],
    }),
  }
}

function fieldsOf({ kind, unit, base = 'green', steps = [], words, decimals, max, isStacked }: Panel): object {
  return {
    unit,
    ...(decimals !== undefined && { decimals }),
    ...(max !== undefined && { max }),
    ...(kind === 'timeseries' && { min: 0 }),
    thresholds: {
      mode: 'absolute',
      steps: [{ color: base, value: null }, ...steps.map(({ from, colour }) => ({ color: colour, value: from }))],
    },
    color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' },
    mappings: words === undefined ? [] : [{ type: 'value', options: mapped(words) }],
    ...(kind === 'timeseries' && {
      custom: {
        drawStyle: 'line',
        fillOpacity: 10,
        showPoints: 'never',
        spanNulls: false,
        stacking: { mode: isStacked === true ? 'normal' : 'none' },
        thresholdsStyle: { mode: steps.length > 0 ? 'dashed' : 'off' },
      },
    }),
  }
}

const mapped = (words: Readonly<Record<number, string>>) =>
  Object.fromEntries(Object.entries(words).map(([value, text], index) => [value, { text, index }]))

function optionsOf({ kind }: Panel): object {
  switch (kind) {
    case 'stat':
      return {
        colorMode: 'background',
        graphMode: 'area',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        textMode: 'auto',
      }
    case 'timeseries':
      return {
        legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      }
    case 'state-timeline':
      return { mergeValues: true, showValue: 'auto', rowHeight: 0.9, legend: { showLegend: false } }
    case 'table':
      return { showHeader: true }
    case 'heatmap':
      return { calculate: false, yAxis: { unit: 's' }, color: { mode: 'scheme', scheme: 'Oranges', steps: 64 } }
  }
}
