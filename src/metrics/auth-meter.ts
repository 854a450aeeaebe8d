import type { MetricsClient } from './client.ts'

const outcomes = ['ok', 'missing', 'invalid', 'unavailable'] as const
export type AuthMeter = (outcome: (typeof outcomes)[number]) => void

/** Whether callers were who they said. */
export function buildAuthMeter({ Counter }: MetricsClient): AuthMeter {
  const authentications = new Counter({
    name: 'weir_authentications_total',
    help: 'Credentials that were looked at: ok, missing (none was sent), invalid, unavailable (nobody could say).',
    labelNames: ['outcome'],
  })
  // There from the start, so that the first one is an increase.
  for (const outcome of outcomes) authentications.inc({ outcome }, 0)
  return outcome => authentications.inc({ outcome })
}
