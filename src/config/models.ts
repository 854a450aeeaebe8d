/** How models, their targets, aliases and fallbacks have to fit one another, and what tiers say of them. */
import { type EndpointName, endpointNames } from '../schemas/config/models.ts'
import { hasDiscovery } from './addresses.ts'
import type { Findings } from './findings.ts'
import { didYouMean } from './nearest.ts'
import type { KeyPath } from './place.ts'
import type { Draft } from './references.ts'

type ModelDraft = NonNullable<NonNullable<Draft['models']>[string]>
type TargetDraft = NonNullable<ModelDraft['targets']>[number]

export const defaultEndpoints: readonly EndpointName[] = ['chat', 'completions']

export function checkModels(draft: Draft, findings: Findings): void {
  const models = Object.entries(draft.models ?? {})
  checkNames(models, findings)
  for (const [name, model] of models) {
    checkTargets(draft, ['models', name], model, findings)
    checkFallback(draft, name, findings)
    checkEmbeddingModel(draft, name, findings)
  }
  checkUnused(draft, findings)
  checkTierModels(draft, findings)
}

type Models = readonly (readonly [string, ModelDraft | undefined])[]

function checkNames(models: Models, findings: Findings): void {
  const owners = new Map<string, string>(models.map(([name]) => [name, name]))
  for (const [name, model] of models) {
    for (const [index, alias] of (model?.aliases ?? []).entries()) {
      const owner = owners.get(alias)
      if (owner === undefined) owners.set(alias, name)
      else if (owner !== name || alias === name) {
        const whose = alias === owner ? 'the name of a model' : `an alias of the model ${JSON.stringify(owner)}`
        const complaint = { problem: `${JSON.stringify(alias)} is already ${whose}.`, fix: 'Remove one of the two.' }
        findings.problem(['models', name, 'aliases', index], complaint)
      }
    }
  }
}

function checkTargets(draft: Draft, path: KeyPath, model: ModelDraft | undefined, findings: Findings): void {
  const targets = model?.targets
  if (targets === undefined) return
  const offered = model?.endpoints ?? defaultEndpoints
  const backends = Object.keys(draft.backends ?? {})
  const seen = new Set<string>()
  for (const [index, target] of targets.entries()) {
    const targetPath = [...path, 'targets', index]
    const backend = target.backend
    if (backend !== undefined && !backends.includes(backend)) {
      const known = backends.length === 0 ? 'Add it under `backends`.' : `Known backends: ${backends.join(', ')}.`
      const problem = `There is no backend ${JSON.stringify(backend)}.`
      findings.problem([...targetPath, 'backend'], { problem, fix: didYouMean(backend, backends, known) })
    }
    for (const [at, endpoint] of (target.endpoints ?? []).entries()) {
      if (offered.includes(endpoint)) continue
      const problem = `The model does not serve ${endpoint}.`
      const fix = `Add ${endpoint} to the model's endpoints, or remove it here.`
      findings.problem([...targetPath, 'endpoints', at], { problem, fix })
    }
    const keys = (target.endpoints ?? offered).map(endpoint =>
      JSON.stringify([backend, target.model, target.arm, endpoint]),
    )
    if (keys.some(key => seen.has(key))) {
      const complaint = { problem: 'The target is there twice.', fix: 'Keep one and raise its weight.' }
      findings.problem(targetPath, complaint)
    }
    for (const key of keys) seen.add(key)
  }
  checkCoverage(path, offered, targets, findings)
}

function checkCoverage(
  path: KeyPath,
  offered: readonly EndpointName[],
  targets: readonly TargetDraft[],
  findings: Findings,
): void {
  for (const endpoint of endpointNames.filter(name => offered.includes(name))) {
    const serving = targets.filter(target => target.endpoints?.includes(endpoint) ?? true)
    if (serving.length === 0) {
      const fix = `Add ${endpoint} to a target, or remove it from the model's endpoints.`
      findings.problem([...path, 'targets'], { problem: `No target serves ${endpoint}.`, fix })
    } else if (serving.every(target => target.weight === 0)) {
      const problem = `All targets that serve ${endpoint} have the weight 0.`
      findings.problem([...path, 'targets'], { problem, fix: 'Give at least one of them a weight of 1 or more.' })
    }
  }
}

function checkFallback(draft: Draft, name: string, findings: Findings): void {
  const models = draft.models ?? {}
  const path = ['models', name, 'fallback']
  const fallback = models[name]?.fallback
  if (fallback === undefined) return
  if (!Object.hasOwn(models, fallback)) {
    const owner = Object.keys(models).find(other => models[other]?.aliases?.includes(fallback))
    if (owner !== undefined) {
      const problem = `${JSON.stringify(fallback)} is an alias.`
      findings.problem(path, { problem, fix: `Write the model's name: ${JSON.stringify(owner)}.` })
    } else if (hasDiscovery(draft)) {
      findings.warn(path, 'names no model of the configuration; it has to be one that a backend lists')
    } else {
      const fix = didYouMean(fallback, Object.keys(models), 'Add it under `models`, or remove the key.')
      findings.problem(path, { problem: `There is no model ${JSON.stringify(fallback)}.`, fix })
    }
    return
  }
  const passed = new Set<string>()
  let next: string | undefined = name
  while (next !== undefined && !passed.has(next)) {
    passed.add(next)
    next = Object.hasOwn(models, next) ? models[next]?.fallback : undefined
  }
  if (next === name) {
    const problem = `The fallbacks go round in a circle: ${[...passed, name].join(' → ')}.`
    findings.problem(path, { problem, fix: 'Remove one of them.' })
  }
}

/** What makes vectors of questions is a model like any other, by its name or an alias. */
function checkEmbeddingModel(draft: Draft, name: string, findings: Findings): void {
  const wanted = draft.models?.[name]?.cache?.semantic?.embeddingModel
  if (wanted === undefined) return
  const models = Object.entries(draft.models ?? {})
  const path = ['models', name, 'cache', 'semantic', 'embeddingModel']
  const found = models.find(([id]) => id === wanted) ?? models.find(([, model]) => model?.aliases?.includes(wanted))
  if (found === undefined) {
    if (hasDiscovery(draft)) {
      findings.warn(path, 'names no model of the configuration; it has to be one that a backend lists')
      return
    }
    const fix = didYouMean(
      wanted,
      models.map(([id]) => id),
      'Add it under `models`.',
    )
    findings.problem(path, { problem: `There is no model ${JSON.stringify(wanted)}.`, fix })
  } else if (!(found[1]?.endpoints ?? defaultEndpoints).includes('embeddings')) {
    const problem = `The model ${JSON.stringify(found[0])} does not serve embeddings.`
    findings.problem(path, { problem, fix: 'Add embeddings to its endpoints, or name another model.' })
  }
}

function checkUnused(draft: Draft, findings: Findings): void {
  const used = new Set(
    Object.values(draft.models ?? {}).flatMap(model => (model?.targets ?? []).map(target => target.backend)),
  )
  for (const [name, backend] of Object.entries(draft.backends ?? {})) {
    if (backend?.discover !== false || used.has(name)) continue
    findings.warn(['backends', name], 'serves nothing: no target names it and discover is false')
  }
}

function checkTierModels(draft: Draft, findings: Findings): void {
  const names = Object.entries(draft.models ?? {}).flatMap(([name, model]) => [name, ...(model?.aliases ?? [])])
  // The names of models that are discovered, and of the engine's own, are not known yet.
  if (names.length === 0 || hasDiscovery(draft)) return
  for (const [tier, { models = [] } = {}] of Object.entries(draft.tiers ?? {})) {
    for (const [index, glob] of models.entries()) {
      const path = ['tiers', tier, 'models', index]
      if (glob.includes('*')) {
        const pattern = new RegExp(`^${glob.split('*').map(RegExp.escape).join('.*')}$`, 'su')
        if (!names.some(name => pattern.test(name))) findings.warn(path, 'matches no model')
      } else if (!names.includes(glob)) {
        const fix = didYouMean(glob, names, 'Add it under `models`, or remove it here.')
        findings.problem(path, { problem: `There is no model ${JSON.stringify(glob)}.`, fix })
      }
    }
  }
}
