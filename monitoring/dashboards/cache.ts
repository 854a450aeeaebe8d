import type { Dashboard } from './dashboard.ts'
import { quantiles, rate } from './target.ts'

const here = 'instance=~"$instance"'
const chosen = `${here},model=~"$model"`

export const cache: Dashboard = {
  uid: 'weir-cache',
  title: 'Cache of answers',
  description: 'What is answered without asking a backend, what that saves, and why the rest is not.',
  variables: ['instance', 'model'],
  panels: [
    {
      id: 1,
      title: 'Hit rate',
      description: 'Of the requests that were looked up, the part that no backend was asked for, by model.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 12,
      max: 1,
      targets: [
        {
          expr: `sum by (model) (rate(weir_cache_requests_total{result=~"hit|joined",${chosen}}[$__rate_interval])) / (sum by (model) (rate(weir_cache_requests_total{${chosen}}[$__rate_interval])) > 0)`,
          legend: '{{model}}',
        },
      ],
    },
    {
      id: 2,
      title: 'Look-ups',
      description: 'hit, miss, or joined: answered together with another request that asked the same at that time.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [rate(`weir_cache_requests_total{${chosen}}`, 'result')],
    },
    {
      id: 3,
      title: 'Not looked up',
      description: 'Requests of models with a cache that could not be answered from it, or did not want to be.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [rate(`weir_cache_bypasses_total{${chosen}}`, 'reason')],
    },
    {
      id: 4,
      title: 'Not kept',
      description: 'Answers that cannot be given again, by why. Many that are too_large want a larger cache.maxEntry.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [rate(`weir_cache_unkept_total{${chosen}}`, 'reason')],
    },
    {
      id: 5,
      title: 'Saved tokens',
      description: 'Tokens a second that were answered and that no backend had to work on.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      targets: [rate(`weir_cache_saved_tokens_total{${chosen}}`, 'kind')],
    },
    {
      id: 6,
      title: 'Saved cost in this time',
      description: 'USD that callers did not pay in the time that is shown, by prices for tokens.',
      kind: 'stat',
      unit: 'currencyUSD',
      width: 8,
      targets: [
        {
          expr: `sum by (model) (increase(weir_cache_saved_cost_usd_total{${chosen}}[$__range]))`,
          legend: '{{model}}',
          instant: true,
        },
      ],
    },
    {
      id: 7,
      title: 'Inputs of embeddings',
      description: 'Each input is looked up by itself: those that were known, and those that a backend was asked for.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      isStacked: true,
      targets: [rate(`weir_cache_embedding_inputs_total{${chosen}}`, 'result')],
    },
    {
      id: 8,
      title: 'Time of a look-up',
      description: 'In the process or in Redis, which is waited for 50 ms at the most.',
      kind: 'timeseries',
      unit: 's',
      width: 8,
      targets: quantiles(`weir_cache_lookup_duration_seconds_bucket{${here}}`),
    },
    {
      id: 9,
      title: 'Bytes that are kept',
      description: 'Of each process, or what Redis has for all of them. cache.maxSize bounds it.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 8,
      targets: [{ expr: `weir_cache_bytes{${here}}`, legend: '{{instance}}' }],
    },
    {
      id: 10,
      title: 'Evicted and failed',
      description:
        'Answers that had to make room for others; entries that were garbage; look-ups that the store did not answer.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      targets: [
        { ...rate(`weir_cache_evictions_total{${here}}`), legend: 'evicted' },
        rate(`weir_cache_failures_total{${here}}`, 'kind'),
      ],
    },
  ],
}
