import type { FastifyInstance } from 'fastify'
import { readArmCosts } from '../../src/admin/experiment-costs.ts'
import { buildExperimentOperations } from '../../src/admin/experiment-operations.ts'
import { buildOperations } from '../../src/admin/operations.ts'
import { buildWebhookOperations } from '../../src/admin/webhook-operations.ts'
import { DatabaseUnavailableError } from '../../src/store/deadline.ts'
import { explainDatabaseFailures, requireDatabase } from '../database-outage.ts'
import accounts from './accounts.ts'
import audit from './audit.ts'
import backends from './backends.ts'
import billing from './billing.ts'
import cache from './cache.ts'
import configurationRoutes from './configuration.ts'
import experiments, { experimentChanges } from './experiments.ts'
import keys from './keys.ts'
import logLevel from './log-level.ts'
import tiers from './tiers.ts'
import usage from './usage.ts'
import webhooks from './webhooks.ts'

/**
 * Administration, for the scope `admin`; on the internal listener alone where there is one. What may be done is decided in
 * src/admin, the same for commands; here it gets its URLs.
 */
export default async function admin(app: FastifyInstance): Promise<void> {
  const { sql, peppers, announceChange, catalog, configuration } = app
  const tiersNow = () => configuration.current.tiers
  const operations = buildOperations({ sql, peppers, announceChange, tiers: tiersNow })
  const { states, tallies } = app.experiments
  const models = () => catalog.current.models
  // What is known in memory is told also while the database is away.
  const costs = async (experiment: string) =>
    app.database.state === 'ready' ? await readArmCosts(sql, experiment).catch(nullWhereAway) : null
  const ofExperiments = buildExperimentOperations({ sql, announceChange, models, states, tallies, costs })
  const ofWebhooks = buildWebhookOperations({
    sql,
    webhooks: () => configuration.current.webhooks,
    deliver: () => app.webhooks.deliver(),
  })
  app.addHook('onRequest', app.authenticate)
  app.addHook('onRequest', app.requireScope('admin'))
  // A new key is in one of the answers, and none of them is anybody else's business.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  explainDatabaseFailures(app)
  await app.register(tiers, { operations })
  await app.register(backends)
  await app.register(cache)
  await app.register(configurationRoutes)
  await app.register(logLevel)
  await app.register(experiments, { operations: ofExperiments })
  await app.register(async stored => {
    requireDatabase(stored)
    await stored.register(accounts, { operations })
    await stored.register(keys, { operations })
    await stored.register(audit, { operations })
    await stored.register(usage)
    await stored.register(billing)
    await stored.register(webhooks, { operations: ofWebhooks })
    await stored.register(experimentChanges, { operations: ofExperiments })
  })
}

function nullWhereAway(error: unknown): null {
  if (error instanceof DatabaseUnavailableError) return null
  throw error
}
