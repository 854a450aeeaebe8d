import type { ArmCall } from '../domain/arm-tally.ts'
import type { Participation } from '../domain/experiment.ts'
import { callBuckets } from './buckets.ts'
import type { MetricsClient } from './client.ts'

/** One request that an arm of an experiment has answered. Their names are of the configuration, so labels are bounded. */
export type ArmMeter = (assignment: Pick<Participation, 'experiment' | 'arm'>, call: ArmCall) => void

export function buildArmMeter({ Counter, Histogram }: MetricsClient): ArmMeter {
  const requests = new Counter({
    name: 'weir_experiment_requests_total',
    help: 'Requests counted in experiments, by arm and outcome.',
    labelNames: ['experiment', 'arm', 'outcome'],
  })
  const tokens = new Counter({
    name: 'weir_experiment_tokens_total',
    help: 'Tokens of requests counted in experiments, by arm.',
    labelNames: ['experiment', 'arm', 'kind'],
  })
  const firstToken = new Histogram({
    name: 'weir_experiment_time_to_first_token_seconds',
    help: 'From the first byte of a request counted in an experiment to the first content of its answer.',
    labelNames: ['experiment', 'arm'],
    buckets: callBuckets,
  })
  return ({ experiment, arm }, { hasFailed, firstTokenMs, usage }) => {
    const labels = { experiment, arm }
    requests.inc({ ...labels, outcome: hasFailed ? 'error' : 'ok' })
    if (firstTokenMs !== null) firstToken.observe(labels, firstTokenMs / 1000)
    if (usage === null) return
    tokens.inc({ ...labels, kind: 'input' }, usage.inputTokens)
    tokens.inc({ ...labels, kind: 'output' }, usage.outputTokens)
  }
}
