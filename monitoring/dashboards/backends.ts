import type { Dashboard } from './dashboard.ts'
import { quantiles, rate } from './target.ts'

const chosen = 'instance=~"$instance",backend=~"$backend"'
/** What speaks of the backend: neither callers that leave or ask for nonsense, nor our own stop. */
const faults = `outcome!~"ok|client|context|client-gone|client-stall|shutdown",${chosen}`

export const backends: Dashboard = {
  uid: 'weir-backends',
  title: 'Backends',
  description: 'Which inference servers are there, how busy they are and how they fail.',
  variables: ['instance', 'backend'],
  panels: [
    {
      id: 1,
      title: 'Answers its probes',
      description: 'Each backend as the replica sees it that sees it best.',
      kind: 'state-timeline',
      unit: 'none',
      width: 12,
      base: 'red',
      steps: [{ from: 1, colour: 'green' }],
      words: { 0: 'down', 1: 'up' },
      targets: [{ expr: `max by (backend) (weir_backend_up{${chosen}})`, legend: '{{backend}}' }],
    },
    {
      id: 2,
      title: 'Circuit breaker',
      description:
        'Open: requests for this endpoint are kept from it, because they fail. Half open: one is let in to see. Empty until one has opened.',
      kind: 'state-timeline',
      unit: 'none',
      width: 12,
      steps: [
        { from: 1, colour: 'yellow' },
        { from: 2, colour: 'red' },
      ],
      words: { 0: 'closed', 1: 'half open', 2: 'open' },
      targets: [
        {
          expr: `max by (backend, endpoint) (weir_backend_breaker_state{${chosen}})`,
          legend: '{{backend}} {{endpoint}}',
        },
      ],
    },
    {
      id: 3,
      title: 'Drained',
      description: 'Backends that an administrator keeps new calls from.',
      kind: 'stat',
      unit: 'none',
      width: 6,
      steps: [{ from: 1, colour: 'yellow' }],
      targets: [{ expr: `sum(max by (backend) (weir_backend_drained{${chosen}}))` }],
    },
    {
      id: 4,
      title: 'Slots in use',
      description: 'Of all slots that are known. At 100 % calls wait.',
      kind: 'stat',
      unit: 'percentunit',
      width: 6,
      steps: [
        { from: 0.8, colour: 'yellow' },
        { from: 1, colour: 'red' },
      ],
      targets: [
        {
          expr: `sum(sum by (backend) (weir_backend_running{${chosen}}) and max by (backend) (weir_backend_slots{${chosen}})) / sum(max by (backend) (weir_backend_slots{${chosen}}))`,
        },
      ],
    },
    {
      id: 5,
      title: 'Calls and slots',
      description: 'Calls that each backend is busy with, for all replicas together, beside the slots that it has.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [
        { expr: `sum by (backend) (weir_backend_running{${chosen}})`, legend: '{{backend}} running' },
        { expr: `max by (backend) (weir_backend_slots{${chosen}})`, legend: '{{backend}} slots' },
      ],
    },
    {
      id: 6,
      title: 'Waiting',
      description: 'How many calls wait for a slot there, and how long whoever waits longest has waited, in seconds.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [
        { expr: `sum by (backend) (weir_backend_waiting{${chosen}})`, legend: '{{backend}} calls' },
        { expr: `max by (backend) (weir_backend_longest_wait_seconds{${chosen}})`, legend: '{{backend}} longest wait' },
      ],
    },
    {
      id: 7,
      title: 'Tries by outcome',
      description: 'ok, or the kind of fault. client-gone, client and context are faults of callers.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      isStacked: true,
      targets: [rate(`weir_backend_attempts_total{${chosen}}`, 'backend', 'outcome')],
    },
    {
      id: 8,
      title: 'Faults',
      description: 'The part of the tries that fail through the fault of the backend.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 12,
      max: 1,
      steps: [{ from: 0.1, colour: 'red' }],
      targets: [
        {
          expr: `sum by (backend) (rate(weir_backend_attempts_total{${faults}}[$__rate_interval])) / sum by (backend) (rate(weir_backend_attempts_total{${chosen}}[$__rate_interval]) > 0)`,
          legend: '{{backend}}',
        },
      ],
    },
    {
      id: 9,
      title: 'Retries and failovers',
      description: 'Tries that followed a failed one, by the backend that had failed: there again, or elsewhere.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 12,
      targets: [rate(`weir_backend_repetitions_total{${chosen}}`, 'backend', 'kind')],
    },
    {
      id: 10,
      title: 'Requests by the backend that answered',
      description: 'none: nobody was asked.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 6,
      isStacked: true,
      targets: [rate(`weir_requests_total{operation=~"chat|completions|embeddings",${chosen}}`, 'backend')],
    },
    {
      id: 11,
      title: 'Wait for a slot',
      description: 'All tiers together, those included that found one free.',
      kind: 'timeseries',
      unit: 's',
      width: 6,
      targets: quantiles('weir_queue_wait_seconds_bucket{instance=~"$instance"}'),
    },
  ],
}
