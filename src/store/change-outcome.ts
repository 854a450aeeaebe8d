import { setTimeout as delay } from 'node:timers/promises'
import type { Row } from 'postgres'
import { DatabaseUnavailableError, defaultDeadlineMs, withDeadline } from './deadline.ts'

/**
 * What became of a change. Every change says which version of its record it was decided on; `stale` is one that came too
 * late, since the record, or what it rests on, has been changed by somebody else: read it again and decide anew.
 */
export type ChangeOutcome = 'done' | 'stale' | 'name-taken' | 'identity-taken'

/** By the constraint that a change would have broken. */
const byConstraint: Readonly<Record<string, ChangeOutcome>> = {
  accounts_name: 'name-taken',
  account_identities_pkey: 'identity-taken',
  // Somebody has just done the same: they are found when it is read again.
  accounts_idempotency: 'stale',
  api_keys_idempotency: 'stale',
  billing_credits_idempotency: 'stale',
  api_keys_replaces: 'stale',
}
const uniqueViolation = '23505'
const deadlockDetected = '40P01'

/** Runs a statement that returns a row when it has changed something. Throws what `withDeadline` throws. */
export async function outcomeOf(
  statement: PromiseLike<readonly Row[]>,
  timeoutMs = defaultDeadlineMs,
): Promise<ChangeOutcome> {
  try {
    return (await withDeadline(statement, timeoutMs)).length > 0 ? 'done' : 'stale'
  } catch (error) {
    const { code, constraint_name: name } = error as { code?: string; constraint_name?: string }
    if (code === deadlockDetected) return 'stale'
    const outcome = code === uniqueViolation ? byConstraint[name ?? ''] : undefined
    if (outcome === undefined) throw error
    return outcome
  }
}

/**
 * When a change of a record is said to be made: later than the one before, also where two come within a millisecond or the
 * clock of another replica is ahead. So the entries of one record stand in the audit log in the order of its changes.
 */
export function timeOfChange({ updatedAt }: { readonly updatedAt: Date }): Date {
  return new Date(Math.max(Date.now(), updatedAt.getTime() + 1))
}

const maxAttempts = 50
const longestWaitMs = 20

/**
 * Tries until it is not stale. One of those who change a record at the same time always gets through, so this ends.
 * Throws DatabaseUnavailableError where it has not after fifty times.
 */
export async function retryStale<Result>(attempt: () => Promise<Result | 'stale'>): Promise<Result> {
  for (let tries = 0; tries < maxAttempts; tries++) {
    const result = await attempt()
    if (result !== 'stale') return result
    await delay(Math.random() * longestWaitMs)
  }
  throw new DatabaseUnavailableError('the record is changed by others all the time')
}
