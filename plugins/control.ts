import fp from 'fastify-plugin'
import { buildOperations } from '../src/admin/operations.ts'
import { ensureDataDir } from '../src/config/data-dir.ts'
import type { Config } from '../src/config.ts'
import { type ControlServer, startControlServer } from '../src/control/server.ts'

interface ControlOptions {
  readonly config: Pick<Config, 'stores'>
}

/** Opens the control socket when the server listens, so that `weir keys …` works beside it; closes it first. */
export default fp<ControlOptions>(
  async (app, { config }) => {
    let starting: Promise<ControlServer | null> | null = null
    app.addHook('onListen', async () => {
      const { dataDir } = config.stores
      ensureDataDir(dataDir)
      const { sql, peppers, announceChange, configuration } = app
      const tiers = () => configuration.current.tiers
      const operations = buildOperations({ sql, peppers, announceChange, tiers })
      starting = startControlServer({ dataDir, operations, log: app.log })
      if ((await starting) === null) app.log.warn('another server of this data directory takes the commands')
    })
    app.addHook('onClose', async () => {
      // Nobody waits for onListen: a close right after the start must still find the server that is only coming up.
      const server = await starting?.catch(() => null)
      await server?.close()
    })
  },
  { name: 'control', fastify: '5.x', dependencies: ['configuration', 'postgres', 'changes', 'auth'] },
)
