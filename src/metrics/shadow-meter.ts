import type { Participation } from '../domain/experiment.ts'
import type { MetricsClient } from './client.ts'

/** `error` as the experiment counts it; `dropped` where no answer was waited for, or not to its end. */
export type ShadowOutcome = 'ok' | 'error' | 'dropped'

/** One copy of a request. Names are of the configuration, so labels are bounded. */
export type ShadowMeter = (of: Pick<Participation, 'experiment' | 'arm'>, outcome: ShadowOutcome) => void

export function buildShadowMeter({ Counter }: MetricsClient): ShadowMeter {
  const copies = new Counter({
    name: 'weir_shadow_requests_total',
    help: 'Copies of requests for the arms of experiments in shadow mode; dropped: there was no room, or the server stopped.',
    labelNames: ['experiment', 'arm', 'outcome'],
  })
  return ({ experiment, arm }, outcome) => copies.inc({ experiment, arm, outcome })
}
