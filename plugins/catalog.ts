import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { buildCatalog, type Catalog, type Discovered, type Model, type Target } from '../src/domain/catalog.ts'
import { buildExperiment } from '../src/domain/experiment.ts'
import { parsePrice } from '../src/domain/price.ts'
import type { EndpointName } from '../src/schemas/config/models.ts'

declare module 'fastify' {
  interface FastifyInstance {
    catalog: CatalogHolder
  }
}

export interface CatalogHolder {
  /** The models as they are now; a look-up and its use belong together, so take it once a request. */
  readonly current: Catalog
  /** Whether every backend that is to be asked for its models has answered. */
  readonly isComplete: boolean
  readonly tiers: Config['tiers']
  /** Takes what a backend offers, in place of what it offered before. */
  setDiscovered(discovered: Discovered): void
}

export interface CatalogOptions {
  readonly config: Pick<Config, 'models' | 'tiers' | 'backends'>
}

export default fp<CatalogOptions>(
  async (app, { config }) => {
    const created = Math.floor(Date.now() / 1000)
    const configured = Object.entries(config.models).map(([id, model]) => configuredModel(id, model, created))
    if (app.engine !== null) configured.push(app.engine.model)
    const discovering = Object.keys(config.backends).filter(name => config.backends[name]?.discover)
    const found = new Map<string, Discovered>()
    let current = buildCatalog(configured, [], created)
    app.decorate('catalog', {
      tiers: config.tiers,
      get current() {
        return current
      },
      get isComplete() {
        return discovering.every(name => found.has(name))
      },
      setDiscovered(discovered) {
        found.set(discovered.backend, discovered)
        // In the order of the configuration and not of the answers, so that it is the same on every replica and after each start.
        const inOrder = discovering.flatMap(name => found.get(name) ?? [])
        current = buildCatalog(configured, inOrder, created)
      },
    })
  },
  { name: 'catalog', dependencies: ['engine'] },
)

const defaultEndpoints: readonly EndpointName[] = ['chat', 'completions']

function configuredModel(id: string, model: Config['models'][string], created: number): Model {
  const endpoints = model.endpoints ?? defaultEndpoints
  const experiment = model.experiment === undefined ? null : buildExperiment(model.experiment, model.targets)
  return {
    id,
    aliases: model.aliases,
    created,
    ownedBy: 'weir',
    contextLength: model.contextLength ?? null,
    maxOutputTokens: model.maxOutputTokens,
    promptCache: model.promptCache,
    imageTokens: model.imageTokens,
    prices: model.prices.map(parsePrice),
    targets: model.targets.map((target): Target => {
      return {
        backend: target.backend,
        model: target.model ?? id,
        weight: target.weight,
        endpoints: new Set(target.endpoints ?? endpoints),
        ...(target.arm === undefined ? {} : { arm: target.arm }),
      }
    }),
    ...(experiment === null ? {} : { experiment }),
  }
}
