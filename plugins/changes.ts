import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import type { Change } from '../src/domain/change.ts'
import { type ChangeListener, ChangeReceiver, ChangeSender, receiverOptions } from '../src/store/change-feed.ts'
import { connectRedis } from '../src/store/redis-client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Says that an account, a key or an experiment has been changed. When it returns nobody in this process believes any longer what it
     * remembers of it; the other replicas are told through Redis, where there is one.
     */
    readonly announceChange: (change: Change) => void
    /** Adds somebody who remembers. */
    readonly onChange: (listener: ChangeListener) => void
  }
}

interface ChangesOptions {
  readonly config: Pick<Config, 'stores'>
}

/** Works without Redis for a single process; several without it learn of changes when what they remember gets old. */
export default fp<ChangesOptions>(
  async (app, { config }) => {
    const listeners: ChangeListener[] = []
    const changed = (change: Change) => {
      for (const listener of listeners) listener.changed(change)
    }
    app.decorate('onChange', (listener: ChangeListener) => void listeners.push(listener))
    const { redisUrl } = config.stores
    if (redisUrl === undefined) {
      app.decorate('announceChange', changed)
      return
    }
    const sender = new ChangeSender(app.redis, app.log)
    const connection = connectRedis(redisUrl, receiverOptions)
    // What is wrong with Redis is said once, by the plugin redis.
    connection.on('error', () => {})
    const missed = () => {
      for (const listener of listeners) listener.missed()
    }
    const receiver = new ChangeReceiver(connection, { changed, missed })
    app.decorate('announceChange', (change: Change) => {
      changed(change)
      void sender.send(change)
    })
    app.addHook('onClose', async () => {
      receiver.stop()
      sender.stop()
    })
  },
  { name: 'changes', fastify: '5.x', dependencies: ['redis'] },
)
