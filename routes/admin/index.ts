import type { FastifyInstance } from 'fastify'
import { buildExperimentOperations } from '../../src/admin/experiment-operations.ts'
import { buildOperations } from '../../src/admin/operations.ts'
import { WeirError } from '../../src/errors.ts'
import { DatabaseUnavailableError } from '../../src/store/deadline.ts'
import accounts from './accounts.ts'
import audit from './audit.ts'
import experiments, { experimentChanges } from './experiments.ts'
import keys from './keys.ts'
import tiers from './tiers.ts'

const databaseDown = (cause?: unknown) =>
  new WeirError('storeUnavailable', 'The database cannot be reached at the moment. Try again shortly.', {
    retryAfterMs: 2000,
    cause,
  })

/**
 * Administration, for the scope `admin`; on the internal listener alone where there is one. What may be done is decided in
 * src/admin, the same for commands; here it gets its URLs.
 */
export default async function admin(app: FastifyInstance): Promise<void> {
  const { sql, peppers, announceChange, catalog } = app
  const { states, tallies } = app.experiments
  const operations = buildOperations({ sql, peppers, announceChange, tiers: catalog.tiers })
  const models = () => catalog.current.models
  const ofExperiments = buildExperimentOperations({ sql, announceChange, models, states, tallies })
  app.addHook('onRequest', app.authenticate)
  app.addHook('onRequest', app.requireScope('admin'))
  // A new key is in one of the answers, and none of them is anybody else's business.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  app.setErrorHandler(error => {
    app.database.reportFailure(error)
    throw error instanceof DatabaseUnavailableError ? databaseDown(error) : error
  })
  await app.register(tiers, { operations })
  await app.register(experiments, { operations: ofExperiments })
  await app.register(async stored => {
    stored.addHook('preHandler', (_request, _reply, done) => {
      if (app.database.state === 'ready') done()
      else done(databaseDown())
    })
    await stored.register(accounts, { operations })
    await stored.register(keys, { operations })
    await stored.register(audit, { operations })
    await stored.register(experimentChanges, { operations: ofExperiments })
  })
}
