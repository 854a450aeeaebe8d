import type { FlushProgress } from '../ledger/flusher.ts'
import type { LedgerLevel } from '../ledger/ledger-level.ts'
import type { MetricsClient } from './client.ts'

/** How usage gets into the ledger. */
export interface LedgerMeters {
  flushed(progress: FlushProgress): void
  /** The database has not taken a batch; it is tried again. */
  failed(): void
  /** A write to the disk or its fsync has failed; what it had is written again. */
  diskFailed(): void
  setLevel(level: LedgerLevel): void
  /** Requests of which nobody knows how they ended. */
  foundUnknown(events: number): void
  /** A request has ended whose model had no price. */
  unpriced(): void
  /** Events that were not kept, because so many wait for a disk that takes none, or that cannot be read back from it. */
  lost(events: number): void
  /** Requests that were refused because they could not be kept. */
  refused(tier: string): void
  /** Read when the metrics are. */
  watch(look: () => { readonly waiting: number; readonly open: number; readonly bytes: number }): void
}

const levels = { ok: 0, high: 1, full: 2 } as const

export function buildLedgerMeters({ Counter, Gauge }: MetricsClient): LedgerMeters {
  const stored = new Counter({ name: 'weir_ledger_events_total', help: 'Usage events that the database has taken.' })
  const quarantined = new Counter({
    name: 'weir_ledger_quarantined_total',
    help: 'Usage events that the database can never take; they are in the quarantine folder.',
  })
  const unknown = new Counter({
    name: 'weir_ledger_unknown_total',
    help: 'Requests that a killed process left without an end.',
  })
  const unpriced = new Counter({
    name: 'weir_ledger_unpriced_total',
    help: 'Requests that ended whose model had no price, so that they cost nothing.',
  })
  const failures = new Counter({
    name: 'weir_ledger_failures_total',
    help: 'Times that a batch could not be stored and was kept to be tried again.',
  })
  const diskFailures = new Counter({
    name: 'weir_ledger_disk_failures_total',
    help: 'Times that a write to the disk or its fsync began to fail; what it had is written again.',
  })
  const lost = new Counter({
    name: 'weir_ledger_lost_total',
    help: 'Usage events that were not kept because too many waited for the disk, or not read back because it was damaged; at least one for each damaged place.',
  })
  const refusals = new Counter({
    name: 'weir_ledger_refusals_total',
    help: 'Requests refused because there was no room to keep their usage, by the tier of the caller.',
    labelNames: ['tier'],
  })
  const lag = new Gauge({
    name: 'weir_ledger_lag_seconds',
    help: 'How long ago the oldest request of the last batch had ended when the database took it.',
  })
  const level = new Gauge({
    name: 'weir_ledger_level',
    help: 'Room for usage on the disk: 0 enough, 1 little (the lowest tiers are refused), 2 none.',
  })
  return {
    flushed(progress) {
      stored.inc(progress.stored)
      quarantined.inc(progress.quarantined)
      lag.set(progress.lagMs / 1000)
    },
    failed: () => failures.inc(),
    diskFailed: () => diskFailures.inc(),
    setLevel: now => level.set(levels[now]),
    foundUnknown: events => unknown.inc(events),
    unpriced: () => unpriced.inc(),
    lost: events => lost.inc(events),
    refused: tier => refusals.inc({ tier }),
    watch(look) {
      new Gauge({
        name: 'weir_ledger_waiting',
        help: 'Usage events that wait on the disk for the database.',
        collect() {
          this.set(look().waiting)
        },
      })
      new Gauge({
        name: 'weir_ledger_open',
        help: 'Requests that are kept and have not ended.',
        collect() {
          this.set(look().open)
        },
      })
      new Gauge({
        name: 'weir_ledger_bytes',
        help: 'What the ledger takes on the disk.',
        collect() {
          this.set(look().bytes)
        },
      })
    },
  }
}
