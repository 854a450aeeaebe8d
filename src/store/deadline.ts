/**
 * postgres.js has no query timeout and queues while the database is down: every call gets an end here, and its failure
 * is sorted into "could not be reached" and "answered with an error", which callers treat differently.
 */

import { endOverdue, type Overdue } from './overdue.ts'
import { countStatement } from './statements.ts'

/** How long a call may take when nobody says otherwise. */
export const defaultDeadlineMs = 5000

/** The database could not be reached, or did not answer in time. The call may still take effect later. */
export class DatabaseUnavailableError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DatabaseUnavailableError'
  }
}

/** A query of postgres.js, or any other promise. */
type Pending<Result> = PromiseLike<Result> & Overdue

/** Not CONNECTION_ENDED: there it is we who have closed it, and trying again is of no use. */
const unreachable = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])
/** SQLSTATE classes 08 connection, 53 resources, 57 operator, and 25006: the server became a standby under us. */
const unavailableState = /^(?:08|53|57)[0-9A-Z]{3}$|^25006$/

/** Somebody has ended the statement, or a timeout of the server's: others are answered. */
const cancelled = '57014'

/** Whether an error means that the database is not there, as opposed to not liking what it was asked. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true
  const code = codeOf(error)
  return typeof code === 'string' && (unreachable.has(code) || unavailableState.test(code))
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/**
 * Waits for a call, `timeoutMs` at most. Throws DatabaseUnavailableError when time runs out or the database cannot be
 * reached, and the driver's own error when the database answered with one. A query whose time is up is cancelled.
 */
export async function withDeadline<Result>(call: Pending<Result>, timeoutMs = defaultDeadlineMs): Promise<Result> {
  countStatement(call)
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new DatabaseUnavailableError(`the database did not answer within ${timeoutMs} ms`))
    endOverdue(call)
  }, timeoutMs)
  try {
    return await Promise.race([call, expired])
  } catch (error) {
    if (!isUnavailable(error) || error instanceof DatabaseUnavailableError) throw error
    // Without a cause, by which it would be taken for a lost connection.
    if (codeOf(error) === cancelled) throw new DatabaseUnavailableError('the database has cancelled the statement')
    const reason = error instanceof Error ? error.message : String(error)
    throw new DatabaseUnavailableError(`the database cannot be reached: ${reason}`, error)
  } finally {
    clearTimeout(timer)
  }
}
