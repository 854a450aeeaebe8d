import type { RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { RouteScope } from '../src/schemas/config/tiers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller has to have: a scope, any credential (`any`), or nothing (`public`). No route is without. */
    scope?: RouteScope
  }
}

/** Registered before all routes: the boot fails where one of them does not say whom it is for. */
export default fp(
  async app => {
    const routes: RouteOptions[] = []
    // Looked at when all hooks of the route's own scope have had their say.
    app.addHook('onRoute', route => void routes.push(route))
    app.addHook('onReady', async () => {
      // An answer to a preflight carries nothing of anybody's.
      const silent = routes.filter(({ config, method }) => config?.scope === undefined && method !== 'OPTIONS')
      if (silent.length === 0) return
      const names = silent.map(({ method, url }) => `${[method].flat().join('|')} ${url}`)
      throw new Error(`config.scope is missing: a route must say who may use it, or 'public': ${names.join(', ')}`)
    })
  },
  { name: 'route-scopes', fastify: '5.x' },
)
