import type { Panel } from './panel.ts'
import { rate } from './target.ts'

const here = 'instance=~"$instance"'

/** Who calls, before limits are asked. */
export const callers: readonly Panel[] = [
  {
    id: 14,
    title: 'Flood guard',
    description: 'Requests refused before anybody knew whose they were, by what their address had used up.',
    kind: 'timeseries',
    unit: 'reqps',
    width: 12,
    targets: [rate(`weir_flood_guard_denials_total{${here}}`, 'reason')],
  },
  {
    id: 15,
    title: 'Credentials',
    description: 'unavailable: nobody could say, since the database or an issuer of JWTs was away.',
    kind: 'timeseries',
    unit: 'reqps',
    width: 12,
    targets: [rate(`weir_authentications_total{${here}}`, 'outcome')],
  },
  {
    id: 16,
    title: 'Issuers of JWTs',
    description:
      'Whether the keys of each issuer could be fetched when that was last tried. Empty where there are none.',
    kind: 'state-timeline',
    unit: 'none',
    width: 6,
    base: 'red',
    steps: [{ from: 1, colour: 'green' }],
    words: { 0: 'down', 1: 'up' },
    targets: [{ expr: `min by (issuer) (weir_issuer_up{${here}})`, legend: '{{issuer}}' }],
  },
  {
    id: 17,
    title: 'Age of the keys of issuers',
    description: 'They are fetched again while they are used, and hold for an hour while the issuer is away.',
    kind: 'timeseries',
    unit: 's',
    width: 6,
    steps: [{ from: 3600, colour: 'red' }],
    targets: [{ expr: `max by (issuer) (weir_issuer_keys_age_seconds{${here}})`, legend: '{{issuer}}' }],
  },
]
