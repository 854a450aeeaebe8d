import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { cachingOf } from '../src/domain/cache-policy.ts'
import { buildCatalog, type Catalog, type Discovered, type Model, type Target } from '../src/domain/catalog.ts'
import { buildExperiment } from '../src/domain/experiment.ts'
import { parsePrice } from '../src/domain/price.ts'
import { listNames, UnpricedModels } from '../src/domain/unpriced.ts'
import type { EndpointName } from '../src/schemas/config/models.ts'

declare module 'fastify' {
  interface FastifyInstance {
    catalog: CatalogHolder
  }
}

export interface CatalogHolder {
  /** The models as they are now; for a request those of its configuration count, see `of`. */
  readonly current: Catalog
  /** The models of this configuration, also of a former one; a look-up and its use belong together, so take it once. */
  of(config: Config): Catalog
  /** Whether every backend that is to be asked for its models has answered. */
  readonly isComplete: boolean
  /** Takes what a backend offers, in place of what it offered before. */
  setDiscovered(discovered: Discovered): void
}

/** What one configuration gives, and what backends have added to it. */
interface Generation {
  readonly config: Config
  readonly configured: readonly Model[]
  /** Backends that are asked for their models. */
  readonly discovering: readonly string[]
  readonly catalog: Catalog
}

export default fp(
  async (app: FastifyInstance) => {
    const { configuration, engine } = app
    const created = Math.floor(Date.now() / 1000)
    const found = new Map<string, Discovered>()
    const withFound = (known: Omit<Generation, 'catalog'>): Generation => {
      // In the order of the configuration and not of the answers, so that it is the same on every replica and after each start.
      const inOrder = known.discovering.flatMap(name => found.get(name) ?? [])
      return { ...known, catalog: buildCatalog(known.configured, inOrder, created) }
    }
    const build = (config: Config): Generation => {
      const configured = Object.entries(config.models).map(([id, model]) => configuredModel(id, model, created))
      if (engine !== null && !Object.hasOwn(config.models, engine.model.id)) configured.push(engine.model)
      const discovering = Object.keys(config.backends).filter(name => config.backends[name]?.discover)
      return withFound({ config, configured, discovering })
    }
    let now = build(configuration.current)
    const unpriced = new UnpricedModels()
    let isReady = false
    const tellUnpriced = () => {
      const fresh = isReady ? unpriced.news(now.catalog.models, Date.now()) : []
      if (fresh.length > 0) app.log.warn({ models: listNames(fresh) }, unpricedWarning)
    }
    // In one line of the models that are configured and of those that backends list at the start.
    app.addHook('onReady', async () => {
      isReady = true
      tellUnpriced()
    })
    const former = new WeakMap<Config, Catalog>()
    configuration.onReload(config => {
      const next = build(config)
      const commit = () => {
        former.set(now.config, now.catalog)
        now = next
        for (const name of found.keys()) if (!next.discovering.includes(name)) found.delete(name)
        tellUnpriced()
      }
      return { commit }
    })
    app.decorate('catalog', {
      get current() {
        return now.catalog
      },
      of: config => former.get(config) ?? now.catalog,
      get isComplete() {
        return now.discovering.every(name => found.has(name))
      },
      setDiscovered(discovered) {
        found.set(discovered.backend, discovered)
        now = withFound(now)
        tellUnpriced()
      },
    })
  },
  { name: 'catalog', dependencies: ['configuration', 'engine'] },
)

const unpricedWarning =
  'models without a price: what they use is counted, and costs nothing; give them prices, of 0 where they are free'

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
    prices: model.prices.map(price => parsePrice(id, price)),
    fallback: model.fallback ?? null,
    targets: model.targets.map((target): Target => {
      const { backend, model: name = id, prices } = target
      return {
        backend,
        model: name,
        weight: target.weight,
        endpoints: new Set(target.endpoints ?? endpoints),
        ...(prices === undefined ? {} : { prices: prices.map(it => parsePrice(id, it, { backend, model: name })) }),
        ...(target.arm === undefined ? {} : { arm: target.arm }),
      }
    }),
    ...(experiment === null ? {} : { experiment }),
    ...cachingOf(model.cache, model.revision ?? ''),
  }
}
