import type { Model } from './catalog.ts'
import type { ExperimentState } from './experiment.ts'

/**
 * The model with those of its targets that may answer callers. In shadow mode that is the control's alone, whatever becomes of
 * it, also while nobody knows the experiment's state (null); once it has ended all of them are.
 */
export function answeringModel(model: Model, state: ExperimentState | null): Model {
  const { experiment } = model
  if (!experiment?.shadow || state?.status === 'ended') return model
  return modelOfArm(model, experiment.arms[0].name)
}

/** The model with the targets of this arm alone. */
export const modelOfArm = (model: Model, arm: string): Model => ({
  ...model,
  targets: model.targets.filter(target => target.arm === arm),
})
