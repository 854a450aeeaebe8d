/** What routes answer that are of no use without the database. */
import type { FastifyInstance } from 'fastify'
import { WeirError } from '../src/errors.ts'
import { DatabaseUnavailableError } from '../src/store/deadline.ts'

const databaseDown = (cause?: unknown) =>
  new WeirError('storeUnavailable', 'The database cannot be reached at the moment. Try again shortly.', {
    retryAfterMs: 2000,
    cause,
  })

/** The failures of its calls, for all routes of this scope. */
export function explainDatabaseFailures(scope: FastifyInstance): void {
  scope.setErrorHandler(error => {
    scope.database.reportFailure(error)
    throw error instanceof DatabaseUnavailableError ? databaseDown(error) : error
  })
}

/** Refuses all requests of this scope while it is known to be away. */
export function requireDatabase(scope: FastifyInstance): void {
  scope.addHook('preHandler', (_request, _reply, done) => {
    if (scope.database.state === 'ready') done()
    else done(databaseDown())
  })
}
