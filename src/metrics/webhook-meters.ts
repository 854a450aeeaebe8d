import type { MetricsClient } from './client.ts'

/** How events get to the receivers of webhooks. */
export interface WebhookMeters {
  /** A try has ended. */
  tried(outcome: 'delivered' | 'retry' | 'dead'): void
  /** Accounts and keys could not be looked at, though the database is there. */
  failedToLook(): void
  setCounts(counts: { readonly waiting: number; readonly dead: number }): void
}

export function buildWebhookMeters({ Counter, Gauge }: MetricsClient): WebhookMeters {
  const deliveries = new Counter({
    name: 'weir_webhook_deliveries_total',
    help: 'Tries to deliver an event: delivered, retry (failed and tried again), dead (given up).',
    labelNames: ['outcome'],
  })
  // There from the start, so that the first one is an increase.
  for (const outcome of ['delivered', 'retry', 'dead']) deliveries.inc({ outcome }, 0)
  const failedLooks = new Counter({
    name: 'weir_webhook_failed_looks_total',
    help: 'Looks for reached thresholds that failed though the database is there: tried again, by fewer accounts at once.',
  })
  const waiting = new Gauge({
    name: 'weir_webhook_waiting',
    help: 'Events that are to be delivered, by any replica: all of them say the same.',
  })
  const dead = new Gauge({
    name: 'weir_webhook_dead',
    help: 'Events that were given up and not removed yet: all replicas say the same.',
  })
  return {
    failedToLook: () => failedLooks.inc(),
    tried: outcome => deliveries.inc({ outcome }),
    setCounts(counts) {
      waiting.set(counts.waiting)
      dead.set(counts.dead)
    },
  }
}
