import type { Dashboard } from './dashboard.ts'
import type { Panel } from './panel.ts'
import { rate } from './target.ts'

const here = 'instance=~"$instance"'

const webhooks: readonly Panel[] = [
  {
    id: 15,
    title: 'Webhooks',
    description: 'Events that are to be delivered, and those that were given up. All replicas say the same.',
    kind: 'timeseries',
    unit: 'short',
    width: 8,
    targets: [
      { expr: `max(weir_webhook_waiting{${here}})`, legend: 'waiting' },
      { expr: `max(weir_webhook_dead{${here}})`, legend: 'given up' },
    ],
  },
  {
    id: 16,
    title: 'Tries to deliver',
    description: 'retry: failed and tried again. dead: given up.',
    kind: 'timeseries',
    unit: 'ops',
    width: 8,
    targets: [rate(`weir_webhook_deliveries_total{${here}}`, 'outcome')],
  },
  {
    id: 17,
    title: 'Failed looks for thresholds',
    description: 'Accounts and keys could not be looked at though the database is there: webhooks come late.',
    kind: 'timeseries',
    unit: 'ops',
    width: 8,
    targets: [rate(`weir_webhook_failed_looks_total{${here}}`)],
  },
]

const stores: readonly Panel[] = [
  {
    id: 1,
    title: 'PostgreSQL',
    description: 'Whether every replica reaches it. Without it known keys work on, and usage waits on the disk.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    base: 'red',
    steps: [{ from: 1, colour: 'green' }],
    words: { 0: 'down', 1: 'up' },
    targets: [{ expr: `min(weir_database_up{${here}})` }],
  },
  {
    id: 2,
    title: 'Redis',
    description:
      'Whether every replica reaches it. Without it each keeps to its part of the limits. Empty where none is configured.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    base: 'red',
    steps: [{ from: 1, colour: 'green' }],
    words: { 0: 'down', 1: 'up' },
    targets: [{ expr: `min(weir_redis_up{${here}})` }],
  },
  {
    id: 3,
    title: 'Room for usage on the disk',
    description: 'Little: the lowest tiers are refused. None: all are.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    steps: [
      { from: 1, colour: 'orange' },
      { from: 2, colour: 'red' },
    ],
    words: { 0: 'enough', 1: 'little', 2: 'none' },
    targets: [{ expr: `max(weir_ledger_level{${here}})` }],
  },
  {
    id: 4,
    title: 'Usage lost',
    description: 'Events since the start of each replica that nobody will ever see.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    steps: [{ from: 1, colour: 'red' }],
    targets: [{ expr: `sum(weir_ledger_lost_total{${here}})` }],
  },
]

export const ledger: Dashboard = {
  uid: 'weir-ledger',
  title: 'Ledger and stores',
  description: 'Whether PostgreSQL and Redis are there, and whether usage gets where it belongs.',
  variables: ['instance', 'tier'],
  panels: [
    ...stores,
    {
      id: 5,
      title: 'Waiting for the database',
      description: 'Usage events on the disk. It grows while the database is away, and shrinks after that.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [{ expr: `sum by (instance) (weir_ledger_waiting{${here}})`, legend: '{{instance}}' }],
    },
    {
      id: 6,
      title: 'Lag',
      description: 'How long ago the oldest request of the last batch had ended when the database took it.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      steps: [{ from: 300, colour: 'red' }],
      targets: [{ expr: `max by (instance) (weir_ledger_lag_seconds{${here}})`, legend: '{{instance}}' }],
    },
    {
      id: 7,
      title: 'Events stored',
      description: 'Usage events a second that the database has taken.',
      kind: 'timeseries',
      unit: 'ops',
      width: 12,
      targets: [rate(`weir_ledger_events_total{${here}}`)],
    },
    {
      id: 8,
      title: 'Failures',
      description:
        'Batches that the database did not take and that are tried again; writes to the disk, or their fsync, that failed.',
      kind: 'timeseries',
      unit: 'ops',
      width: 12,
      targets: [
        { ...rate(`weir_ledger_failures_total{${here}}`), legend: 'batches' },
        { ...rate(`weir_ledger_disk_failures_total{${here}}`), legend: 'disk' },
      ],
    },
    {
      id: 9,
      title: 'On the disk',
      description: 'What the ledger takes.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 6,
      targets: [{ expr: `sum by (instance) (weir_ledger_bytes{${here}})`, legend: '{{instance}}' }],
    },
    {
      id: 10,
      title: 'Open',
      description: 'Requests that are kept and have not ended.',
      kind: 'timeseries',
      unit: 'short',
      width: 6,
      targets: [{ expr: `sum by (instance) (weir_ledger_open{${here}})`, legend: '{{instance}}' }],
    },
    {
      id: 11,
      title: 'Not as it should be',
      description:
        'Since the start of each replica. quarantined: the database can never take them. unknown: a killed process left them without an end.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [
        { expr: `sum(weir_ledger_quarantined_total{${here}})`, legend: 'quarantined' },
        { expr: `sum(weir_ledger_unknown_total{${here}})`, legend: 'unknown' },
        { expr: `sum(weir_ledger_lost_total{${here}})`, legend: 'lost' },
      ],
    },
    {
      id: 12,
      title: 'Refused for want of room',
      description: 'Requests answered 503, because their usage could not be kept.',
      kind: 'timeseries',
      unit: 'reqps',
      width: 8,
      targets: [rate(`weir_ledger_refusals_total{${here},tier=~"$tier"}`, 'tier')],
    },
    {
      id: 13,
      title: 'Connections to PostgreSQL',
      description:
        'Those included that are being opened; and statements that wait for one, or behind another one. Where those stay above none, the database is too slow for what it is asked.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      targets: [
        { expr: `sum by (instance) (weir_database_connections{${here}})`, legend: '{{instance}}' },
        { expr: `sum by (instance) (weir_database_running_statements{${here}})`, legend: '{{instance}}: running' },
        { expr: `sum by (instance) (weir_database_waiting_statements{${here}})`, legend: '{{instance}}: waiting' },
      ],
    },
    {
      id: 14,
      title: 'Commands that wait for Redis',
      description: 'Sent, and without an answer yet; those of limits apart.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      targets: [{ expr: `sum by (instance) (weir_redis_pending_commands{${here}})`, legend: '{{instance}}' }],
    },
    ...webhooks,
  ],
}
