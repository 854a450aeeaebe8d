/**
 * What an administrator can do with the experiments of the configuration: look, compare, ramp, pause, end. Every change is in
 * the audit log. Errors as in operations.ts.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Sql } from 'postgres'
import type { ArmCost } from '../domain/arm-cost.ts'
import type { Model } from '../domain/catalog.ts'
import type { Change } from '../domain/change.ts'
import type { Experiment, ExperimentState } from '../domain/experiment.ts'
import { WeirError } from '../errors.ts'
import type { ArmTallies } from '../experiments/arm-tallies.ts'
import type { LiveStates } from '../experiments/live-states.ts'
import type { ExperimentReportView, ExperimentView, UpdateExperiment } from '../schemas/admin/experiments.ts'
import type { Page } from '../schemas/admin/list.ts'
import { retryStale, timeOfChange } from '../store/change-outcome.ts'
import { DatabaseUnavailableError } from '../store/deadline.ts'
import { getExperimentState, saveExperimentState } from '../store/experiment-states.ts'
import { type Actor, authorOf } from './actor.ts'
import { announced, conflict, invalid, shown } from './context.ts'
import { experimentReport, experimentView, type ModelExperiment } from './experiment-views.ts'

export interface ExperimentsContext {
  readonly sql: Sql
  readonly announceChange: (change: Change) => void
  /** Those of the configuration, as it is now. */
  readonly models: () => readonly Model[]
  readonly states: LiveStates
  readonly tallies: ArmTallies
  /** What the arms of an experiment cost, by their names; null where nobody can say now. */
  readonly costs: (experiment: string) => Promise<ReadonlyMap<string, ArmCost> | null>
}

export interface ExperimentOperations {
  listExperiments(): Page<ExperimentView>
  /** With what its arms have done. */
  getExperiment(input: { readonly name: string }): Promise<ExperimentReportView>
  updateExperiment(
    actor: Actor,
    input: { readonly name: string; readonly changes: UpdateExperiment },
  ): Promise<ExperimentView>
}

export function buildExperimentOperations(context: ExperimentsContext): ExperimentOperations {
  const { models, states, tallies, costs } = context
  return {
    listExperiments: () => {
      const data = models().flatMap(model =>
        model.experiment === undefined
          ? []
          : experimentView({ model, experiment: model.experiment }, getState(states, model.experiment.name)),
      )
      return { object: 'list', data, has_more: false, next_cursor: null }
    },
    getExperiment: async ({ name }) => {
      const [found, state] = [getModelExperiment(context, name), getState(states, name)]
      return experimentReport(found, state, { tally: tallies.find(name), costs: await costs(name) })
    },
    updateExperiment: (actor, input) => update(context, actor, input),
  }
}

/** Throws DatabaseUnavailableError as long as nobody knows. */
function getState(states: LiveStates, name: string): ExperimentState {
  const state = states.find(name)
  if (state === null) throw new DatabaseUnavailableError('the states of experiments have not been read yet')
  return state
}

function getModelExperiment({ models }: ExperimentsContext, name: string): ModelExperiment {
  for (const model of models()) if (model.experiment?.name === name) return { model, experiment: model.experiment }
  throw new WeirError('resourceNotFound', `There is no experiment "${shown(name)}" in the configuration.`)
}

async function update(
  context: ExperimentsContext,
  actor: Actor,
  { name, changes }: { readonly name: string; readonly changes: UpdateExperiment },
): Promise<ExperimentView> {
  const found = getModelExperiment(context, name)
  const change = { kind: 'experiment', id: name } as const
  return await retryStale(async () => {
    const before = await getExperimentState(context.sql, name)
    const state = applyChanges(found.experiment, before.state, changes)
    if (isDeepStrictEqual(state, before.state)) {
      // Perhaps this is asked again since the answer was lost, and with it the announcement.
      context.announceChange(change)
      return experimentView(found, state)
    }
    const after = { ...before, state, updatedAt: timeOfChange(before) }
    const stored = saveExperimentState(context.sql, { before, after }, authorOf(actor))
    if ((await announced(context, change, stored)) !== 'done') return 'stale'
    // Whoever has the answer finds it obeyed, here at least.
    context.states.note(after)
    return experimentView(found, state)
  })
}

function applyChanges(experiment: Experiment, before: ExperimentState, changes: UpdateExperiment): ExperimentState {
  const status = changes.state ?? before.status
  const rampPercent = changes.ramp_percent ?? before.rampPercent
  if (before.status === 'ended') {
    if (status !== 'ended') throw conflict('The experiment has ended: give it another name to begin anew.', 'state')
    if (rampPercent !== before.rampPercent) throw conflict('The experiment has ended.', 'ramp_percent')
    return { ...before, winner: changes.winner === undefined ? before.winner : getArm(experiment, changes.winner) }
  }
  if (status === 'ended') {
    if (changes.winner === undefined) throw invalid('winner', `Say which arm gets all traffic: ${armsOf(experiment)}.`)
    return { status, rampPercent, winner: getArm(experiment, changes.winner) }
  }
  if (changes.winner !== undefined) {
    throw invalid('winner', 'Only an experiment that ends has a winner: set state to ended as well.')
  }
  return { status, rampPercent }
}

function getArm(experiment: Experiment, name: string): string {
  if (experiment.arms.some(arm => arm.name === name)) return name
  throw invalid('winner', `There is no arm "${shown(name)}". There are: ${armsOf(experiment)}.`)
}

const armsOf = ({ arms }: Experiment): string => arms.map(({ name }) => name).join(', ')
