import type { CallRecord } from '../backend/call.ts'
import type { MetricsClient } from './client.ts'

/** What calls did at backends, all tries of one at once, when it is over. */
export type AttemptMeter = (call: Pick<CallRecord, 'tries' | 'model'>, askedModel: string) => void

export function buildAttemptMeter({ Counter }: MetricsClient): AttemptMeter {
  const attempts = new Counter({
    name: 'weir_backend_attempts_total',
    help: 'Tries of calls, by backend and how each ended: ok, or the kind of fault.',
    labelNames: ['backend', 'outcome'],
  })
  const repetitions = new Counter({
    name: 'weir_backend_repetitions_total',
    help: 'Tries that followed a failed one, by the backend that had failed: retry (there again) or failover (elsewhere).',
    labelNames: ['backend', 'kind'],
  })
  const fallbacks = new Counter({
    name: 'weir_fallbacks_total',
    help: 'Calls that went to another model, because none of the targets of the one that was asked could answer.',
    labelNames: ['model', 'answered'],
  })
  return ({ tries, model }, askedModel) => {
    for (const [index, { backend, fault }] of tries.entries()) {
      attempts.inc({ backend, outcome: fault ?? 'ok' })
      const next = tries[index + 1]
      if (next !== undefined) repetitions.inc({ backend, kind: next.backend === backend ? 'retry' : 'failover' })
    }
    if (model !== null && model.id !== askedModel) fallbacks.inc({ model: askedModel, answered: model.id })
  }
}
