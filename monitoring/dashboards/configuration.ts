import type { Panel } from './panel.ts'

const here = 'instance=~"$instance"'

/** What replicas run by, and what stands before them. */
export const configuration: readonly Panel[] = [
  {
    id: 11,
    title: 'weir.yaml can be used',
    description: 'Where it cannot, the one before is in force until the next start, which then fails.',
    kind: 'stat',
    unit: 'none',
    width: 6,
    base: 'red',
    steps: [{ from: 1, colour: 'green' }],
    words: { 0: 'no', 1: 'yes' },
    targets: [{ expr: `min(weir_config_last_reload_successful{${here}})` }],
  },
  {
    id: 13,
    title: 'weir.yaml was read',
    description: 'When a usable one was last read, by the replica that has the oldest.',
    kind: 'stat',
    unit: 's',
    width: 6,
    targets: [{ expr: `time() - min(weir_config_last_reload_timestamp_seconds{${here}})` }],
  },
  {
    id: 14,
    title: 'Readings of weir.yaml',
    description: 'In the time that is shown, by outcome.',
    kind: 'stat',
    unit: 'none',
    width: 12,
    targets: [
      {
        expr: `sum by (outcome) (increase(weir_config_reloads_total{${here}}[$__range]))`,
        legend: '{{outcome}}',
        instant: true,
      },
    ],
  },
  {
    id: 12,
    title: 'Version and configuration of each replica',
    description: 'Outside a rollout all should be alike.',
    kind: 'table',
    unit: 'none',
    width: 12,
    targets: [
      {
        expr: `weir_build_info{${here}} * on (job, instance) group_left (sha256) weir_config_info{${here}}`,
        format: 'table',
        instant: true,
      },
    ],
  },
  {
    id: 15,
    title: 'TLS certificates',
    description:
      'Until they expire, by the blackbox exporter (job weir-tls): Weir speaks plain HTTP and knows nothing of them.',
    kind: 'timeseries',
    unit: 's',
    width: 12,
    targets: [{ expr: 'probe_ssl_earliest_cert_expiry{job="weir-tls"} - time()', legend: '{{instance}}' }],
  },
]
