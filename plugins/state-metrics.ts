import fp from 'fastify-plugin'
import { countStatements } from '../src/store/statements.ts'

/** What other plugins know of the things that this process depends on, as metrics: asked for when those are read. */
export default fp(
  async app => {
    const { states } = app.meters
    states.watchBackends(() => app.backends.views())
    states.watchDatabase(() => {
      const { state, connections } = app.database
      return { isUp: state === 'ready', connections, statements: countStatements() }
    })
    states.watchIssuers(() =>
      Array.from(app.tokens.keySets, ([name, { standing }]) =>
        standing === null ? [] : [{ name, ...standing }],
      ).flat(),
    )
    if (app.redisHealth.state === 'absent') return
    states.watchRedis(() => ({ isUp: app.redisHealth.state === 'ready', pending: app.redisHealth.pending }))
  },
  { name: 'state-metrics', fastify: '5.x', dependencies: ['metrics', 'postgres', 'redis', 'jwt', 'backends'] },
)
