/** What administrators have said of experiments. Of one that nobody has said anything of there is no row. */
import type { ISql } from 'postgres'
import { type ExperimentState, initialState } from '../domain/experiment.ts'
import type { Snapshot } from '../schemas/admin/audit.ts'
import { type Author, writeAudit } from './audit.ts'
import { type ChangeOutcome, outcomeOf } from './change-outcome.ts'
import { withDeadline } from './deadline.ts'

export interface StoredExperiment {
  readonly name: string
  readonly state: ExperimentState
  /** When it was last changed; the beginning of time where it never was. */
  readonly updatedAt: Date
  /** Changes with the row: a change that was decided on another version is stale. Null where there is no row. */
  readonly version: string | null
}

interface StateRow extends Pick<StoredExperiment, 'name' | 'updatedAt' | 'version'> {
  readonly status: ExperimentState['status']
  readonly rampPercent: number
  readonly winner: string | null
}

const columns = (sql: ISql) => sql`
  name, status, ramp_percent as "rampPercent", winner, updated_at as "updatedAt", xmin::text as version`

function read({ name, status, rampPercent, winner, updatedAt, version }: StateRow): StoredExperiment {
  // The table says so of winners.
  const state = status === 'ended' ? { status, rampPercent, winner: winner ?? '' } : { status, rampPercent }
  return { name, state, updatedAt, version }
}

export async function listExperimentStates(sql: ISql, timeoutMs: number): Promise<readonly StoredExperiment[]> {
  const rows = await withDeadline(sql<StateRow[]>`select ${columns(sql)} from experiment_states`, timeoutMs)
  return rows.map(read)
}

export async function getExperimentState(sql: ISql, name: string): Promise<StoredExperiment> {
  const [row] = await withDeadline(sql<StateRow[]>`
    select ${columns(sql)} from experiment_states where name = ${name}`)
  return row === undefined ? { name, state: initialState, updatedAt: new Date(0), version: null } : read(row)
}

/** Makes `before`, as it was read, into `after`. */
export async function saveExperimentState(
  sql: ISql,
  { before, after }: { before: StoredExperiment; after: StoredExperiment },
  author: Author,
): Promise<ChangeOutcome> {
  const { name, state, updatedAt } = after
  const winner = state.status === 'ended' ? state.winner : null
  const changes = [
    {
      action: 'experiment.update',
      targetId: name,
      at: updatedAt,
      before: experimentSnapshot(before),
      after: experimentSnapshot(after),
    },
  ] as const
  const change =
    before.version === null
      ? sql`insert into experiment_states (name, status, ramp_percent, winner, updated_at)
            values (${name}, ${state.status}, ${state.rampPercent}, ${winner}, ${updatedAt})
            on conflict (name) do nothing
            returning name`
      : sql`update experiment_states
            set status = ${state.status}, ramp_percent = ${state.rampPercent}, winner = ${winner}, updated_at = ${updatedAt}
            where name = ${name} and xmin::text = ${before.version}
            returning name`
  return await outcomeOf(sql`
    with changed as (${change}),
    logged as (${writeAudit(sql, { author, changes, done: sql`select name from changed` })})
    select name from changed`)
}

/** In the words of the admin API, as the audit log keeps it. */
function experimentSnapshot({ name, state }: StoredExperiment): Snapshot {
  const winner = state.status === 'ended' ? state.winner : null
  return { name, state: state.status, ramp_percent: state.rampPercent, winner }
}
