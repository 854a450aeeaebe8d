/** How the arms of a model's experiment have to fit its targets, and experiments one another. */
import { endpointNames } from '../schemas/config/models.ts'
import type { Findings } from './findings.ts'
import { defaultEndpoints } from './models.ts'
import type { KeyPath } from './place.ts'
import type { Draft } from './references.ts'

type ModelDraft = NonNullable<NonNullable<Draft['models']>[string]>
type TargetDraft = NonNullable<ModelDraft['targets']>[number]

export function checkExperiments({ models = {} }: Draft, findings: Findings): void {
  const owners = new Map<string, string>()
  for (const [name, model] of Object.entries(models)) {
    const path = ['models', name]
    if (model?.experiment === undefined) {
      // One that could not be understood is there all the same.
      if (!findings.isWritten([...path, 'experiment'])) checkNoArms(path, model?.targets ?? [], findings)
      continue
    }
    const experiment = model.experiment.name
    const owner = experiment === undefined ? undefined : owners.get(experiment)
    if (owner !== undefined) {
      const problem = `${JSON.stringify(experiment)} is already the experiment of the model ${JSON.stringify(owner)}.`
      findings.problem([...path, 'experiment', 'name'], { problem, fix: 'Give one of the two another name.' })
    } else if (experiment !== undefined) owners.set(experiment, name)
    checkArms(path, model, findings)
  }
}

function checkNoArms(path: KeyPath, targets: readonly TargetDraft[], findings: Findings): void {
  for (const [index, { arm }] of targets.entries()) {
    if (arm === undefined) continue
    const complaint = {
      problem: 'The model has no experiment.',
      fix: 'Add `experiment: { name: … }` to the model, or remove the key.',
    }
    findings.problem([...path, 'targets', index, 'arm'], complaint)
  }
}

function checkArms(path: KeyPath, model: ModelDraft, findings: Findings): void {
  const targets = model.targets ?? []
  const arms = [...new Set(targets.flatMap(({ arm }) => arm ?? []))]
  let isWhole = targets.length > 0
  for (const [index, { arm }] of targets.entries()) {
    if (arm !== undefined) continue
    isWhole = false
    const at = [...path, 'targets', index]
    if (findings.isWritten([...at, 'arm'])) continue
    const known = arms.length === 0 ? 'such as `arm: control`' : `one of ${arms.join(', ')}, or a new one`
    findings.problem(at, {
      problem: "The target is no arm of the model's experiment.",
      fix: `Add the key \`arm\`: ${known}.`,
    })
  }
  if (!isWhole) return
  if (arms.length < 2) {
    const problem = `Its only arm is ${JSON.stringify(arms[0])}: there is nothing to compare it with.`
    findings.problem([...path, 'experiment'], {
      problem,
      fix: 'Give the targets two or more different values of `arm`.',
    })
  }
  checkCoverage(path, model, findings)
}

/** Whoever is assigned to an arm has no other: so each has to serve all that the model does. */
function checkCoverage(path: KeyPath, { endpoints, targets = [] }: ModelDraft, findings: Findings): void {
  const offered = endpoints ?? defaultEndpoints
  const arms = Map.groupBy(targets, ({ arm }) => arm)
  for (const [arm, members] of arms) {
    for (const endpoint of endpointNames.filter(name => offered.includes(name))) {
      const serves = (target: TargetDraft) => target.endpoints?.includes(endpoint) ?? true
      // Of what no target serves, whatever its arm, checkModels has said so.
      if (members.some(target => serves(target) && target.weight !== 0)) continue
      if (!targets.some(target => serves(target) && target.weight !== 0)) continue
      const problem = `No target of the arm ${JSON.stringify(arm)} with a weight of 1 or more serves ${endpoint}.`
      const fix = 'Give the arm such a target: whoever is assigned to it has no other.'
      findings.problem([...path, 'targets', targets.findIndex(target => target.arm === arm)], { problem, fix })
    }
  }
}
