import type { EndpointName } from '../schemas/config/models.ts'
import type { AnswerCaching } from './cache-policy.ts'
import type { Experiment } from './experiment.ts'
import type { Price } from './price.ts'

/** A model on one backend. */
export interface Target {
  readonly backend: string
  /** The backend's own name for the model. */
  readonly model: string
  readonly weight: number
  readonly endpoints: ReadonlySet<EndpointName>
  /** In the order of their days; absent where those of the model hold. */
  readonly prices?: readonly Price[]
  /** Which arm of the model's experiment it is; absent where the model has none. */
  readonly arm?: string
}

/** A model as callers name it. */
export interface Model {
  readonly id: string
  readonly aliases: readonly string[]
  /** Unix seconds, as OpenAI's model object has it. */
  readonly created: number
  readonly ownedBy: string
  readonly contextLength: number | null
  readonly maxOutputTokens: number
  readonly promptCache: 'shared' | 'account'
  /** What one image counts when tokens are reserved. */
  readonly imageTokens: number
  /** In the order of their days; for what its targets have no price of their own for. */
  readonly prices: readonly Price[]
  readonly targets: readonly Target[]
  /** The name of the model that answers where no target of this one can; null where none does. */
  readonly fallback: string | null
  /** Compares its targets; absent where they are all the same to callers. */
  readonly experiment?: Experiment
  /** Which of its answers may be given again; absent where none may. */
  readonly caching?: AnswerCaching
}

/** What one backend was found to offer. */
export interface Discovered {
  readonly backend: string
  readonly models: readonly { readonly id: string; readonly contextLength: number | null }[]
}

/** The models by name and alias; immutable: a change makes a new one. */
export class Catalog {
  readonly models: readonly Model[]
  readonly #byName = new Map<string, Model>()

  constructor(models: readonly Model[]) {
    this.models = models
    // Names before aliases: an alias never hides a model of that name.
    for (const model of models) this.#byName.set(model.id, model)
    for (const model of models) {
      for (const alias of model.aliases) if (!this.#byName.has(alias)) this.#byName.set(alias, model)
    }
  }

  /** By public name or alias. */
  find(name: string): Model | undefined {
    return this.#byName.get(name)
  }
}

const discoveredEndpoints: ReadonlySet<EndpointName> = new Set(['chat', 'completions', 'embeddings'])

/** Of models that the configuration does not name. */
export const defaultImageTokens = 1024

/** Discovered models are bounded: a backend's list is its own word. */
const maxDiscovered = 1000

/**
 * The configured models and, beside them, the discovered ones. A discovered model that several backends offer has a
 * target on each; a configured model of the same name wins and stays as configured.
 */
export function buildCatalog(
  configured: readonly Model[],
  discovered: readonly Discovered[],
  created: number,
): Catalog {
  const known = new Set(configured.flatMap(model => [model.id, ...model.aliases]))
  const found = new Map<string, Model>()
  for (const { backend, models } of discovered) {
    for (const { id, contextLength } of models) {
      if (known.has(id) || found.size >= maxDiscovered) continue
      const target: Target = { backend, model: id, weight: 1, endpoints: discoveredEndpoints }
      const sister = found.get(id)
      found.set(id, {
        id,
        aliases: [],
        created,
        ownedBy: 'weir',
        contextLength: smaller(sister?.contextLength ?? null, contextLength),
        maxOutputTokens: 4096,
        promptCache: 'shared',
        imageTokens: defaultImageTokens,
        prices: [],
        targets: [...(sister?.targets ?? []), target],
        fallback: null,
      })
    }
  }
  return new Catalog([...configured, ...found.values()])
}

function smaller(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}
