import type { Dashboard } from './dashboard.ts'
import type { Panel } from './panel.ts'
import { quantileOf, quantiles, rate } from './target.ts'

const chosen = 'instance=~"$instance",model=~"$model"'
const byTier = `${chosen},tier=~"$tier"`

const experiments: readonly Panel[] = [
  {
    id: 12,
    title: 'Experiments: requests by arm',
    description: 'Requests counted in experiments; copies for arms in the shadow are told apart.',
    kind: 'timeseries',
    unit: 'reqps',
    width: 12,
    targets: [
      rate('weir_experiment_requests_total{instance=~"$instance"}', 'experiment', 'arm', 'outcome'),
      {
        ...rate('weir_shadow_requests_total{instance=~"$instance"}', 'experiment', 'arm', 'outcome'),
        legend: 'shadow {{experiment}} {{arm}} {{outcome}}',
      },
    ],
  },
  {
    id: 13,
    title: 'Experiments: time to first token by arm',
    description: 'The 95th percentile. GET /admin/experiments says whether a difference means something.',
    kind: 'timeseries',
    unit: 's',
    width: 6,
    targets: [
      quantileOf('weir_experiment_time_to_first_token_seconds_bucket{instance=~"$instance"}', 0.95, [
        'experiment',
        'arm',
      ]),
    ],
  },
  {
    id: 14,
    title: 'Experiments: tokens by arm',
    description: 'Tokens a second, of prompts and of answers.',
    kind: 'timeseries',
    unit: 'short',
    width: 6,
    targets: [rate('weir_experiment_tokens_total{instance=~"$instance"}', 'experiment', 'arm', 'kind')],
  },
]

export const models: Dashboard = {
  uid: 'weir-models',
  title: 'Models and tokens',
  description: 'How fast models answer, what is used of them and what it costs.',
  variables: ['instance', 'model', 'tier'],
  panels: [
    {
      id: 1,
      title: 'Time to first token by model',
      description: 'The 95th percentile, the wait for a slot included. The objective is 5 s.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      steps: [{ from: 5, colour: 'red' }],
      targets: [quantileOf(`weir_time_to_first_token_seconds_bucket{${chosen}}`, 0.95, ['model'])],
    },
    {
      id: 2,
      title: 'Between two tokens',
      description: 'Inter-token latency of streams: 0.1 s are ten tokens a second, about as fast as one reads.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      targets: quantiles(`weir_inter_token_latency_seconds_bucket{${chosen}}`, ['model']),
    },
    {
      id: 3,
      title: 'First tokens over time',
      description: 'How many answers began after how long. Two bands are two kinds of prompt, or two kinds of backend.',
      kind: 'heatmap',
      unit: 'short',
      width: 12,
      targets: [
        {
          expr: `sum by (le) (increase(weir_time_to_first_token_seconds_bucket{${chosen}}[$__rate_interval]))`,
          legend: '{{le}}',
          format: 'heatmap',
        },
      ],
    },
    {
      id: 4,
      title: 'Duration by model',
      description: 'The 95th percentile from the first byte of a request to the last of its answer.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      targets: [quantileOf(`weir_request_duration_seconds_bucket{${chosen}}`, 0.95, ['model'])],
    },
    {
      id: 5,
      title: 'Tokens a second',
      description: 'All models together. Of input, cached_input is a part, and of output reasoning.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      targets: [rate(`weir_tokens_total{${byTier}}`, 'kind')],
    },
    {
      id: 6,
      title: 'Output tokens a second by model',
      description: 'What the models produce.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      isStacked: true,
      targets: [rate(`weir_tokens_total{kind="output",${byTier}}`, 'model')],
    },
    {
      id: 7,
      title: 'Prompt tokens from the cache of backends',
      description:
        'The part of all prompt tokens that backends did not compute anew. Low where conversations move between backends.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 8,
      max: 1,
      targets: [
        {
          expr: `sum by (model) (rate(weir_tokens_total{kind="cached_input",${byTier}}[$__rate_interval])) / (sum by (model) (rate(weir_tokens_total{kind="input",${byTier}}[$__rate_interval])) > 0)`,
          legend: '{{model}}',
        },
      ],
    },
    {
      id: 8,
      title: 'Cost an hour',
      description: 'USD an hour at the rate of now, by model. The ledger is exact, this is not.',
      kind: 'timeseries',
      unit: 'currencyUSD',
      width: 8,
      isStacked: true,
      targets: [
        { expr: `sum by (model) (rate(weir_cost_usd_total{${byTier}}[$__rate_interval])) * 3600`, legend: '{{model}}' },
      ],
    },
    {
      id: 9,
      title: 'Cost in this time',
      description: 'USD in the time that is shown, by tier.',
      kind: 'stat',
      unit: 'currencyUSD',
      width: 8,
      targets: [
        {
          expr: `sum by (tier) (increase(weir_cost_usd_total{${byTier}}[$__range]))`,
          legend: '{{tier}}',
          instant: true,
        },
      ],
    },
    {
      id: 10,
      title: 'Requests without a price',
      description:
        'Requests that cost nothing, because their model has no price in weir.yaml: no spend limit bounds them.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 8,
      targets: [rate('weir_ledger_unpriced_total{instance=~"$instance"}')],
    },
    {
      id: 11,
      title: 'Fallbacks',
      description: 'Calls that another model answered, because none of the targets of theirs could.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      targets: [
        { ...rate(`weir_fallbacks_total{${chosen}}`, 'model', 'answered'), legend: '{{model}} → {{answered}}' },
      ],
    },
    ...experiments,
  ],
}
