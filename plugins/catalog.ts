import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { buildCatalog, type Catalog, type Discovered, type Model, type Target } from '../src/domain/catalog.ts'
import { parsePrice } from '../src/domain/price.ts'
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
    const former = new WeakMap<Config, Catalog>()
    configuration.onReload(config => {
      const next = build(config)
      const commit = () => {
        former.set(now.config, now.catalog)
        now = next
        for (const name of found.keys()) if (!next.discovering.includes(name)) found.delete(name)
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
      },
    })
  },
  { name: 'catalog', dependencies: ['configuration', 'engine'] },
)

const defaultEndpoints: readonly EndpointName[] = ['chat', 'completions']

function configuredModel(id: string, model: Config['models'][string], created: number): Model {
  const endpoints = model.endpoints ?? defaultEndpoints
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
    fallback: model.fallback ?? null,
    targets: model.targets.map((target): Target => {
      return {
        backend: target.backend,
        model: target.model ?? id,
        weight: target.weight,
        endpoints: new Set(target.endpoints ?? endpoints),
      }
    }),
  }
}
