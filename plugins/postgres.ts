import { setTimeout as delay } from 'node:timers/promises'
import fp from 'fastify-plugin'
import type { Sql } from 'postgres'
import type { Config } from '../src/config.ts'
import type { Readiness } from '../src/readiness.ts'
import { DatabaseContact } from '../src/store/contact.ts'
import { openDatabase } from '../src/store/database.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The database: a PostgreSQL or the embedded one. Every call needs a deadline (src/store/deadline.ts). */
    readonly sql: Sql
    /** Whether it answers, and when it first did. */
    readonly database: DatabaseContact
  }
}

interface PostgresOptions {
  readonly config: Pick<Config, 'stores'>
  readonly readiness: Pick<Readiness, 'needs'>
}

/** How long it has to take what is left, where somebody has no patience. */
const hurriedMs = 1500

/**
 * Starts also while the database is down; makes contact in the background, applies migrations where it may, and goes on trying.
 * Throws DataDirBusyError when another process holds the embedded database.
 */
export default fp<PostgresOptions>(
  async (app, { config, readiness }) => {
    const database = await openDatabase(config.stores)
    const contact = new DatabaseContact(database, app.log, config.stores.migrate)
    // An outage passes, and what is known goes on; here somebody has to do something, and an update must not go on meanwhile.
    readiness.needs(() => contact.state !== 'outdated')
    app.decorate('sql', database.sql)
    app.decorate('database', contact)
    // Else all that closes would wait for one that is silent, one after the other.
    void app.drain.hurried.then(() => delay(hurriedMs, null, { ref: false })).then(() => database.renew('silent'))
    app.addHook('onClose', async () => {
      const stopped = contact.stop()
      // By then the ledger has closed, and nothing is lost with a connection.
      void app.drain.hurried.then(() => database.renew('silent'))
      await database.close()
      await stopped
    })
  },
  { name: 'postgres', fastify: '5.x', dependencies: ['drain'] },
)
