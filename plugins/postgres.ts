import fp from 'fastify-plugin'
import type { Sql } from 'postgres'
import type { Config } from '../src/config.ts'
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
}

/**
 * Starts also while the database is down; makes contact and applies migrations in the background, and goes on trying.
 * Throws DataDirBusyError when another process holds the embedded database.
 */
export default fp<PostgresOptions>(
  async (app, { config }) => {
    const database = await openDatabase(config.stores)
    const contact = new DatabaseContact(database, app.log)
    app.decorate('sql', database.sql)
    app.decorate('database', contact)
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
