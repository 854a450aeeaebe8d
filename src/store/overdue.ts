/**
 * Ends statements that nobody waits for any more: each would keep its connection until it is done by itself, and of a pool whose
 * connections are all kept the database looks as if it were down.
 *
 * Not by a statement_timeout of the connection: it would have to be longer than the closing of a month takes, and poolers such as
 * PgBouncer refuse connections that ask for one.
 */

/** A query of postgres.js 3.4.9 as it is inside. */
export interface Overdue {
  /** Whether it is the one that its connection is busy with, and not in a queue or behind another. */
  readonly active?: boolean
  /** What `cancel()` calls. There nobody catches it where the server cannot be reached, and the process would end with that. */
  readonly canceller?: ((query: Overdue) => unknown) | null
}

/** So long it has to be the active one before it is cancelled. */
const firstMs = 100
/** Of several hosts each is tried in turn, and one of them only has the statement. */
const againMs = 1000
const mostTries = 10

/**
 * Cancels a query that runs, and one that is still to run when it has begun. A request to cancel names a connection and not a
 * statement, and so could meet the next one there: that is why only what runs for long is cancelled, and why a statement that
 * was is no sign that the database is down. To the embedded database it says nothing, as that has one session.
 *
 * One that has not been sent is left alone: in postgres 3.4.9 its connection, if it is just being made for it, would be lost.
 */
export function endOverdue(query: PromiseLike<unknown> & Overdue): void {
  const { canceller } = query
  if (typeof canceller !== 'function') return
  let isOver = false
  const end = () => {
    isOver = true
  }
  query.then(end, end)
  const look = (tries: number, wasActive: boolean) => {
    const timer = setTimeout(
      () => {
        if (isOver || tries === mostTries) return
        const isActive = query.active === true
        const isLate = isActive && wasActive
        if (isLate) Promise.resolve(canceller(query)).catch(() => {})
        look(isLate ? tries + 1 : tries, isActive)
      },
      tries === 0 ? firstMs : againMs,
    )
    timer.unref()
  }
  look(0, query.active === true)
}
