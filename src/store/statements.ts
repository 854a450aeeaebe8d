/**
 * Which statements have been asked for and have no answer yet. The client (postgres 3.4.9) has a queue where nobody can look: a
 * statement that finds no free connection is sent behind another one, or kept. Each statement knows itself whether it runs.
 */
import type { Overdue } from './overdue.ts'

export interface StatementCounts {
  /** Those that a connection is busy with. */
  readonly running: number
  /** Those that wait for a connection, or behind another statement on one. */
  readonly waiting: number
}

/** Of this process, as its connections are; no more than the callers are that wait, or waited until their time was up. */
const pending = new Set<PromiseLike<unknown> & Overdue>()

/** Counts a statement until the database has answered it, also when nobody waits for that any more. */
export function countStatement(statement: PromiseLike<unknown> & Overdue): void {
  if (statement.active === undefined) return
  pending.add(statement)
  const end = () => {
    pending.delete(statement)
  }
  statement.then(end, end)
}

export function countStatements(): StatementCounts {
  let running = 0
  for (const { active } of pending) if (active === true) running++
  return { running, waiting: pending.size - running }
}
