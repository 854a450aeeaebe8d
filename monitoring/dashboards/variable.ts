import { datasource } from './datasource.ts'

/** What is chosen at the top of a dashboard. */
export type Variable = 'instance' | 'model' | 'backend' | 'tier'

/** Metrics that have a series for each value as soon as there is one. */
const sources: Readonly<Record<Variable, string>> = {
  instance: 'weir_build_info',
  model: 'weir_requests_total',
  backend: 'weir_backend_up',
  tier: 'weir_requests_total',
}

/** Prometheus itself: the same dashboards for every one that there is. */
export const datasourceVariable = {
  name: 'datasource',
  label: 'Prometheus',
  type: 'datasource',
  query: 'prometheus',
  current: {},
  hide: 0,
  refresh: 1,
}

export function variableJson(name: Variable): object {
  const query = `label_values(${sources[name]}, ${name})`
  return {
    name,
    label: name,
    type: 'query',
    datasource,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
  }
}
