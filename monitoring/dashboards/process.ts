import { configuration } from './configuration.ts'
import type { Dashboard } from './dashboard.ts'

const here = 'job="weir",instance=~"$instance"'
const legend = '{{instance}}'

export const process: Dashboard = {
  uid: 'weir-process',
  title: 'Process',
  description: 'What each replica takes of its machine, and what it runs by.',
  variables: ['instance'],
  panels: [
    {
      id: 1,
      title: 'Answers Prometheus',
      description: 'A replica that does not is gone, stuck, or cannot be reached.',
      kind: 'state-timeline',
      unit: 'none',
      width: 12,
      base: 'red',
      steps: [{ from: 1, colour: 'green' }],
      words: { 0: 'down', 1: 'up' },
      targets: [{ expr: `up{${here}}`, legend }],
    },
    {
      id: 2,
      title: 'Running for',
      description: 'Since its last start. A saw is a process that ends again and again.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      targets: [{ expr: `time() - process_start_time_seconds{${here}}`, legend }],
    },
    {
      id: 3,
      title: 'Lag of the event loop',
      description:
        'How late turns come, 99th percentile. While it is held up nothing moves: no stream, no probe, no health check.',
      kind: 'timeseries',
      unit: 's',
      width: 12,
      steps: [{ from: 0.2, colour: 'red' }],
      targets: [{ expr: `nodejs_eventloop_lag_p99_seconds{${here}}`, legend }],
    },
    {
      id: 4,
      title: 'Use of the event loop',
      description: 'The part of its time in which it is busy, the median of seconds. Above 80 % add a replica.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 12,
      max: 1,
      steps: [{ from: 0.8, colour: 'red' }],
      targets: [{ expr: `nodejs_eventloop_utilization_summary{quantile="0.5",${here}}`, legend }],
    },
    {
      id: 5,
      title: 'CPU',
      description: 'CPUs in use. One does nearly all of the work.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [{ expr: `rate(process_cpu_seconds_total{${here}}[$__rate_interval])`, legend }],
    },
    {
      id: 6,
      title: 'Memory',
      description: 'Resident memory, beside what the container or machine has.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 12,
      targets: [
        { expr: `process_resident_memory_bytes{${here}}`, legend },
        { expr: `weir_memory_limit_bytes{of="process",${here}}`, legend: '{{instance}} limit' },
      ],
    },
    {
      id: 7,
      title: 'Heap',
      description:
        'Memory of JavaScript, beside the most it may take: the process ends there. external: buffers outside the heap.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 12,
      targets: [
        { expr: `nodejs_heap_size_used_bytes{${here}}`, legend },
        { expr: `nodejs_external_memory_bytes{${here}}`, legend: '{{instance}} external' },
        { expr: `weir_memory_limit_bytes{of="heap",${here}}`, legend: '{{instance}} limit' },
      ],
    },
    {
      id: 8,
      title: 'Garbage collection',
      description: 'The part of the time that it takes, by kind. Much of kind major is a heap that is nearly full.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 12,
      targets: [
        {
          expr: `sum by (instance, kind) (rate(nodejs_gc_duration_seconds_sum{${here}}[$__rate_interval]))`,
          legend: '{{instance}} {{kind}}',
        },
      ],
    },
    {
      id: 9,
      title: 'Open files and sockets',
      description: 'The part that is in use of those that the process may have.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 12,
      max: 1,
      steps: [{ from: 0.8, colour: 'red' }],
      targets: [{ expr: `process_open_fds{${here}} / process_max_fds{${here}}`, legend }],
    },
    {
      id: 10,
      title: 'Handles',
      description: 'What holds the event loop, by type. One that only grows is a leak.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [{ expr: `sum by (type) (nodejs_active_resources{${here}})`, legend: '{{type}}' }],
    },
    {
      id: 16,
      title: 'Traces',
      description: 'Spans that the collector has taken, and those given up for want of room or because it failed.',
      kind: 'timeseries',
      unit: 'short',
      width: 12,
      targets: [
        { expr: `sum by (instance) (rate(weir_trace_spans_sent_total{${here}}[$__rate_interval]))`, legend },
        {
          expr: `sum by (instance, reason) (rate(weir_trace_spans_dropped_total{${here}}[$__rate_interval]))`,
          legend: '{{instance}} {{reason}}',
        },
      ],
    },
    ...configuration,
  ],
}
