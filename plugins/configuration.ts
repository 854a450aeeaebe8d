import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { LiveConfig, type LiveConfigOptions } from '../src/config/live-config.ts'
import type { Config } from '../src/config.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What may change while it runs is read from here; what cannot is given to plugins as options. */
    readonly configuration: LiveConfig
  }
  interface FastifyRequest {
    /** The one that it goes by to its end; null while nobody knows who is calling. See getConfiguration. */
    configuration: Config | null
  }
}

/** The configuration of a request that has a principal. Throws when there is none, which is a mistake in the route. */
export function getConfiguration({ configuration, routeOptions }: FastifyRequest): Config {
  if (configuration === null)
    throw new Error(`${routeOptions.url ?? 'this route'} has no principal and so no configuration`)
  return configuration
}

export default fp<LiveConfigOptions>(
  async (app: FastifyInstance, options) => {
    app.decorate('configuration', new LiveConfig(options))
    app.decorateRequest('configuration', null)
    app.addHook('preClose', async () => app.configuration.close())
  },
  { name: 'configuration', fastify: '5.x' },
)
