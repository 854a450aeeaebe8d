import { datasource } from './datasource.ts'
import { heightOf, type Panel, panelJson } from './panel.ts'
import { datasourceVariable, type Variable, variableJson } from './variable.ts'

export interface Dashboard {
  /** Links name it: it never changes. Its file is called so as well. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly Variable[]
  readonly panels: readonly Panel[]
}

/** As Grafana reads it. Panels fill rows from the left; one that has no room in a row begins the next. */
export function dashboardJson({ uid, title, description, variables, panels }: Dashboard): object {
  return {
    uid,
    title: `Weir: ${title}`,
    description,
    tags: ['weir'],
    schemaVersion: 39,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    links: [{ type: 'dashboards', tags: ['weir'], title: 'Weir', asDropdown: true, includeVars: true, keepTime: true }],
    templating: { list: [datasourceVariable, ...variables.map(variableJson)] },
    annotations: {
      list: [
        {
          name: 'Alerts',
          datasource,
          enable: true,
          expr: 'ALERTS{alertname=~"Weir.*",alertstate="firing"}',
          iconColor: 'red',
          titleFormat: '{{alertname}}',
        },
      ],
    },
    panels: placed(panels),
  }
}

function placed(panels: readonly Panel[]): readonly object[] {
  let [x, y, rowHeight] = [0, 0, 0]
  return panels.map(panel => {
    if (x + panel.width > 24) [x, y, rowHeight] = [0, y + rowHeight, 0]
    const json = panelJson(panel, { x, y })
    x += panel.width
    rowHeight = Math.max(rowHeight, heightOf(panel))
    return json
  })
}
