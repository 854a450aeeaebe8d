import type { BackendView } from '../schemas/admin/backends.ts'
import type { StatementCounts } from '../store/statements.ts'
import type { MetricsClient } from './client.ts'

export interface DatabaseState {
  readonly isUp: boolean
  /** Null where it is in this process. */
  readonly connections: number | null
  readonly statements: StatementCounts
}

export interface RedisState {
  readonly isUp: boolean
  /** Commands that were sent and have no answer yet. */
  readonly pending: number
}

export interface IssuerState {
  /** Of the configuration. */
  readonly name: string
  /** Whether its keys could be fetched when that was last tried. */
  readonly isUp: boolean
  /** Null where there are none yet. */
  readonly ageMs: number | null
}

/** What is looked at when the metrics are read, and costs nothing in between. */
export interface StateMeters {
  watchBackends(look: () => readonly BackendView[]): void
  watchDatabase(look: () => DatabaseState): void
  watchIssuers(look: () => readonly IssuerState[]): void
  watchRedis(look: () => RedisState): void
}

export function buildStateMeters(client: MetricsClient): StateMeters {
  return {
    watchBackends: look => watchBackends(client, look),
    watchDatabase: look => watchDatabase(client, look),
    watchIssuers: look => watchIssuers(client, look),
    watchRedis: look => watchRedis(client, look),
  }
}

function watchBackends({ Gauge }: MetricsClient, look: () => readonly BackendView[]): void {
  const perBackend = (name: string, help: string, read: (view: BackendView) => number | null) =>
    new Gauge({
      name,
      help,
      labelNames: ['backend'],
      collect() {
        this.reset()
        for (const view of look()) {
          const value = read(view)
          if (value !== null) this.set({ backend: view.name }, value)
        }
      },
    })
  perBackend('weir_backend_up', '1 while a backend answers its probes.', ({ state }) => (state === 'up' ? 1 : 0))
  perBackend('weir_backend_drained', '1 while an administrator keeps new calls from a backend.', ({ drained }) =>
    drained ? 1 : 0,
  )
  perBackend(
    'weir_backend_slots',
    'How many calls a backend takes at once; none where nobody knows.',
    ({ slots }) => slots,
  )
  perBackend('weir_backend_running', 'Calls that a backend is busy with.', view => view.in_flight)
  perBackend(
    'weir_backend_waiting',
    'Calls that wait for a slot there; one that may go to several waits at each.',
    view => view.waiting,
  )
  perBackend(
    'weir_backend_longest_wait_seconds',
    'How long who waits there longest has waited.',
    view => view.longest_wait_ms / 1000,
  )
}

function watchIssuers({ Gauge }: MetricsClient, look: () => readonly IssuerState[]): void {
  new Gauge({
    name: 'weir_issuer_up',
    help: '1 if the keys of an issuer of JWTs could be fetched when that was last tried; none before it was.',
    labelNames: ['issuer'],
    collect() {
      this.reset()
      for (const { name, isUp } of look()) this.set({ issuer: name }, isUp ? 1 : 0)
    },
  })
  new Gauge({
    name: 'weir_issuer_keys_age_seconds',
    help: 'Since the keys of an issuer of JWTs were fetched; they hold for an hour.',
    labelNames: ['issuer'],
    collect() {
      this.reset()
      for (const { name, ageMs } of look()) if (ageMs !== null) this.set({ issuer: name }, ageMs / 1000)
    },
  })
}

function watchDatabase({ Gauge }: MetricsClient, look: () => DatabaseState): void {
  new Gauge({
    name: 'weir_database_up',
    help: '1 while the database answers.',
    collect() {
      this.set(look().isUp ? 1 : 0)
    },
  })
  new Gauge({
    name: 'weir_database_running_statements',
    help: 'Statements that a connection to the database is busy with.',
    collect() {
      this.set(look().statements.running)
    },
  })
  new Gauge({
    name: 'weir_database_waiting_statements',
    help: 'Statements that wait for a connection to the database, or behind another one there.',
    collect() {
      this.set(look().statements.waiting)
    },
  })
  if (look().connections === null) return
  new Gauge({
    name: 'weir_database_connections',
    help: 'Connections to PostgreSQL, those included that are being opened.',
    collect() {
      this.set(look().connections ?? 0)
    },
  })
}

function watchRedis({ Gauge }: MetricsClient, look: () => RedisState): void {
  new Gauge({
    name: 'weir_redis_up',
    help: '1 while there is a connection to Redis; whether it answers is told by weir_limit_local_mode.',
    collect() {
      this.set(look().isUp ? 1 : 0)
    },
  })
  new Gauge({
    name: 'weir_redis_pending_commands',
    help: 'Commands that were sent to Redis and have no answer yet, those of limits apart.',
    collect() {
      this.set(look().pending)
    },
  })
}
