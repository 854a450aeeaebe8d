import type { MetricsClient } from './client.ts'

const reasons = ['requests', 'failures'] as const
/** One request that the flood guard refused, by what its address has used up. */
export type FloodMeter = (reason: (typeof reasons)[number]) => void

export function buildFloodMeter({ Counter }: MetricsClient): FloodMeter {
  const denials = new Counter({
    name: 'weir_flood_guard_denials_total',
    help: 'Requests refused before authentication, by what their address had used up.',
    labelNames: ['reason'],
  })
  // There from the start, so that the first denial is an increase.
  for (const reason of reasons) denials.inc({ reason }, 0)
  return reason => denials.inc({ reason })
}
