import type { Dashboard } from './dashboard.ts'
import { quantiles, rate } from './target.ts'

const chosen = 'instance=~"$instance",model=~"$model"'
const inference = `operation=~"chat|completions|embeddings",${chosen}`

type Slo = 'availability' | 'first_token'

/** The part of 30 days in which an objective was kept. */
const kept = (slo: Slo, objective: number) =>
  ({
    kind: 'stat',
    unit: 'percentunit',
    width: 4,
    base: 'red',
    steps: [{ from: objective, colour: 'green' }],
    targets: [{ expr: `1 - weir:slo_bad:ratio30d{slo="${slo}"}` }],
  }) as const

/** What is left of what an objective allows to fail. */
const budgetLeft = (slo: Slo) =>
  ({
    kind: 'stat',
    unit: 'percentunit',
    decimals: 0,
    width: 4,
    base: 'red',
    steps: [
      { from: 0.25, colour: 'yellow' },
      { from: 0.5, colour: 'green' },
    ],
    targets: [
      {
        expr: `1 - weir:slo_bad:ratio30d{slo="${slo}"} / on () (1 - weir:slo_objective:ratio{slo="${slo}"})`,
      },
    ],
  }) as const

export const overview: Dashboard = {
  uid: 'weir-overview',
  title: 'Overview',
  description: 'Whether callers get answers, how soon, and what is left of the error budgets. Begin here.',
  variables: ['instance', 'model'],
  panels: [
    {
      ...kept('availability', 0.999),
      id: 1,
      title: 'Answered, 30 days',
      description:
        'Of the requests that were not refused for a fault of their caller, how many were answered. The objective is 99.9 %.',
      decimals: 3,
    },
    {
      ...budgetLeft('availability'),
      id: 2,
      title: 'Error budget left',
      description: 'Of the failures that 30 days may have. Below zero the objective is missed.',
    },
    {
      ...kept('first_token', 0.95),
      id: 3,
      title: 'First token within 5 s, 30 days',
      description: 'Of all answers with content of chat and completions. The objective is 95 %.',
      decimals: 2,
    },
    {
      ...budgetLeft('first_token'),
      id: 4,
      title: 'Latency budget left',
      description: 'Of the late first tokens that 30 days may have. Below zero the objective is missed.',
    },
    {
      id: 5,
      title: 'Alerts',
      description:
        'Alerts of Weir that fire. Their own links lead to the panel and the page of the runbook that are meant.',
      kind: 'stat',
      unit: 'none',
      width: 4,
      steps: [{ from: 1, colour: 'red' }],
      targets: [{ expr: 'count(ALERTS{alertname=~"Weir.*",alertstate="firing"}) or vector(0)' }],
    },
    {
      id: 6,
      title: 'Replicas',
      description: 'Processes that answer Prometheus.',
      kind: 'stat',
      unit: 'none',
      width: 4,
      base: 'red',
      steps: [{ from: 1, colour: 'green' }],
      targets: [{ expr: 'sum(up{job="weir"})' }],
    },
    {
      id: 7,
      title: 'Requests by outcome',
      description: 'Requests that have ended. What limits refuse and who leaves is here as well, and is no failure.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [rate(`weir_requests_total{${inference}}`, 'outcome')],
    },
    {
      id: 8,
      title: 'Failures by model',
      description:
        'Requests that failed though nothing was wrong with them: what the objective counts as bad, by outcome and model.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [
        rate(
          `weir_requests_total{outcome=~"internal|upstream_error|overloaded|auth_unavailable|store_unavailable|ledger_unavailable|upstream_timeout|upstream_incomplete|server_shutdown",${inference}}`,
          'outcome',
          'model',
        ),
      ],
    },
    {
      id: 9,
      title: 'Duration of requests',
      description:
        'From the first byte of a request to the last of its answer. Long answers take long: look at first tokens for trouble.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      targets: quantiles(`weir_request_duration_seconds_bucket{${inference}}`),
    },
    {
      id: 10,
      title: 'Time to first token',
      description: 'From the first byte of a request to the first content of its answer, its wait for a slot included.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      steps: [{ from: 5, colour: 'red' }],
      targets: quantiles(`weir_time_to_first_token_seconds_bucket{operation=~"chat|completions",${chosen}}`),
    },
    {
      id: 11,
      title: 'Burn rate of the budgets',
      description:
        'How many times faster than evenly over 30 days the budget is used up. 14.4 for an hour, or 6 for six, wakes somebody.',
      kind: 'timeseries',
      unit: 'none',
      width: 12,
      steps: [
        { from: 1, colour: 'yellow' },
        { from: 6, colour: 'orange' },
        { from: 14.4, colour: 'red' },
      ],
      targets: [
        {
          expr: 'weir:slo_bad:ratio1h / on (slo) (1 - weir:slo_objective:ratio)',
          legend: '{{slo}} 1h',
        },
        {
          expr: 'weir:slo_bad:ratio5m / on (slo) (1 - weir:slo_objective:ratio)',
          legend: '{{slo}} 5m',
        },
      ],
    },
    {
      id: 12,
      title: 'Running now',
      description: 'Requests without a complete answer yet, and the streams among them.',
      kind: 'timeseries',
      unit: 'short',
      width: 6,
      targets: [
        { expr: 'sum by (operation) (weir_requests_running{instance=~"$instance"})', legend: '{{operation}}' },
        { expr: 'sum(weir_streams_running{instance=~"$instance"})', legend: 'streams' },
      ],
    },
    {
      id: 13,
      title: 'What Weir adds',
      description: 'From the first byte of a request until it is sent to a backend, without its wait for a slot.',
      kind: 'timeseries',
      unit: 's',
      width: 6,
      targets: quantiles('weir_gateway_overhead_seconds_bucket{instance=~"$instance"}'),
    },
  ],
}
