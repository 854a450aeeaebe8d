/** Experiments in the words of the admin API. */
import { type ArmReport, confidence, reportArms } from '../domain/arm-report.ts'
import { emptyTally } from '../domain/arm-tally.ts'
import type { Model } from '../domain/catalog.ts'
import type { Experiment, ExperimentState } from '../domain/experiment.ts'
import type { ExperimentTally } from '../experiments/arm-tallies.ts'
import type { ArmReportView, ExperimentReportView, ExperimentView } from '../schemas/admin/experiments.ts'

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

export function experimentReport(
  found: ModelExperiment,
  state: ExperimentState,
  tally: ExperimentTally | undefined,
): ExperimentReportView {
  const { arms } = found.experiment
  const reports = reportArms(arms.map(({ name }) => ({ name, tally: tally?.arms.get(name) ?? emptyTally() })))
  const weights = new Map(arms.map(({ name, weight }) => [name, weight]))
  return {
    ...headOf(found, state),
    counted_by: 'replica',
    counted_since: tally?.since.toISOString() ?? null,
    confidence,
    arms: reports.map(report => armView(report, weights.get(report.name) ?? 0)),
  }
}

function armView({ name, tally, figures, verdicts }: ArmReport, weight: number): ArmReportView {
  const { requests, participants, errors, inputTokens, outputTokens } = tally
  return {
    name,
    weight,
    requests,
    participants: participants.size,
    errors,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cost: null,
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
