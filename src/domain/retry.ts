/** Whether, when and how often a call is tried again. */

/** What is known of an attempt that failed before any content came. */
export interface FailedAttempt {
  readonly kind: FailedKind
  /** The engine drops a request whose connection is gone, so nobody works on it any more once the attempt has ended. */
  readonly stopsWithClient: boolean
}

/**
 * `unsent`: the request never reached the backend. `turned-away`: the backend said that it does not take it now. `lost`: the
 * connection or the answer broke off, or said nothing in time. `answered`: the backend has had its say, which another one
 * would not say otherwise.
 */
export type FailedKind = 'unsent' | 'turned-away' | 'lost' | 'answered'

/** What was lost may still be worked on, by an engine that does not notice: then twice would be paid twice. */
export function mayTryAgain({ kind, stopsWithClient }: FailedAttempt): boolean {
  switch (kind) {
    case 'unsent':
    case 'turned-away':
      return true
    case 'lost':
      return stopsWithClient
    case 'answered':
      return false
  }
}

const firstBackoffMs = 100
const maxBackoffMs = 2000

/**
 * How long to wait before the same backend is tried again, in milliseconds: full jitter over a doubling bound, as in
 * "Exponential Backoff And Jitter" (M. Brooker, AWS, 2015), and never before the backend said. `random` in [0, 1).
 */
export function backoffMs(tries: number, random: number, leastMs = 0): number {
  return leastMs + random * Math.min(maxBackoffMs, firstBackoffMs * 2 ** tries)
}

/** Of first attempts, the share that may be tried again. */
const retryShare = 0.2
/** What may be saved up: as many as run on a large backend, which all fail at once where it dies. At the start there is little. */
const maxSaved = 100
const initialSaved = 3

/**
 * Bounds tries beyond the first to 20 % of the first ones: where a backend fails at everything, trying everything twice would
 * finish it. The token bucket of "SRE: Handling Overload" and of Finagle's retry budgets, without the clock.
 */
export class RetryBudget {
  #saved = initialSaved

  /** A call is tried for the first time. */
  deposit(): void {
    this.#saved = Math.min(maxSaved, this.#saved + retryShare)
  }

  get mayWithdraw(): boolean {
    // Ten deposits of a fifth are not quite two.
    return this.#saved >= 1 - 1e-9
  }

  withdraw(): void {
    this.#saved -= 1
  }
}
