/** Experiments in the words of the admin API. */
import { type ArmCost, type ArmCostReport, reportArmCosts } from '../domain/arm-cost.ts'
import { type ArmReport, confidence, reportArms } from '../domain/arm-report.ts'
import { emptyTally } from '../domain/arm-tally.ts'
import type { Model } from '../domain/catalog.ts'
import type { Experiment, ExperimentState } from '../domain/experiment.ts'
import { formatUsd } from '../domain/money.ts'
import type { ExperimentTally } from '../experiments/arm-tallies.ts'
import type { ArmCostView, ArmReportView, ExperimentReportView, ExperimentView } from '../schemas/admin/experiments.ts'

/** An experiment, and whose. */
export interface ModelExperiment {
  readonly model: Model
  readonly experiment: Experiment
}

function headOf({ model, experiment }: ModelExperiment, state: ExperimentState) {
  return {
    object: 'experiment',
    name: experiment.name,
    model: model.id,
    stick_by: experiment.stickBy,
    state: state.status,
    ramp_percent: state.rampPercent,
    winner: state.status === 'ended' ? state.winner : null,
  } as const
}

export const experimentView = (found: ModelExperiment, state: ExperimentState): ExperimentView => ({
  ...headOf(found, state),
  arms: found.experiment.arms.map(({ name, weight }) => ({ name, weight })),
})

interface Seen {
  readonly tally: ExperimentTally | undefined
  /** Null where nobody can say. */
  readonly costs: ReadonlyMap<string, ArmCost> | null
}

export function experimentReport(
  found: ModelExperiment,
  state: ExperimentState,
  { tally, costs }: Seen,
): ExperimentReportView {
  const { arms } = found.experiment
  const names = arms.map(({ name }) => name)
  const costReports = costs === null ? null : reportArmCosts(names, costs)
  const reports = reportArms(names.map(name => ({ name, tally: tally?.arms.get(name) ?? emptyTally() })))
  const weights = new Map(arms.map(({ name, weight }) => [name, weight]))
  return {
    ...headOf(found, state),
    counted_by: 'replica',
    counted_since: tally?.since.toISOString() ?? null,
    confidence,
    arms: reports.map(report => {
      const cost = costReports?.get(report.name)
      return armView(report, weights.get(report.name) ?? 0, cost === undefined ? null : costView(cost))
    }),
  }
}

const costView = ({ requests, unpriced, nanoUsd, meanNanoUsd, timesControl }: ArmCostReport): ArmCostView => ({
  requests: Number(requests),
  unpriced_requests: Number(unpriced),
  total: formatUsd(nanoUsd),
  mean: meanNanoUsd === null ? null : formatUsd(meanNanoUsd),
  times_control: timesControl,
})

function armView(
  { name, tally, figures, verdicts }: ArmReport,
  weight: number,
  cost: ArmCostView | null,
): ArmReportView {
  const { requests, participants, errors, inputTokens, outputTokens } = tally
  return {
    name,
    weight,
    requests,
    participants: participants.size,
    errors,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cost,
    error_rate: figures.errorRate,
    time_to_first_token_ms: { p50: figures.firstTokenP50, p95: figures.firstTokenP95 },
    inter_token_latency_ms: { p50: figures.interTokenP50, p95: figures.interTokenP95 },
    verdicts: {
      error_rate: verdicts?.errorRate ?? null,
      time_to_first_token_ms: { p50: verdicts?.firstTokenP50 ?? null, p95: verdicts?.firstTokenP95 ?? null },
      inter_token_latency_ms: { p50: verdicts?.interTokenP50 ?? null, p95: verdicts?.interTokenP95 ?? null },
    },
  }
}
