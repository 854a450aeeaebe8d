import { Fault, type RefusalReason } from './fault.ts'

const words: Record<RefusalReason, string> = {
  'queue-full': 'as many calls wait for these backends as may',
  'queue-timeout': 'no slot came free while the call could wait',
  'no-backend': 'no backend of this model takes requests now',
}

const mostRetryMs = 60_000

/** A call that was given no place on a backend; nothing was sent. */
export class Refusal extends Fault {
  readonly reason: RefusalReason

  /** `waitsMs`: when each of its backends may have a place, in milliseconds. */
  constructor(reason: RefusalReason, waitsMs: readonly number[]) {
    super('busy', words[reason], { refusal: reason, retryAfterMs: Math.ceil(Math.min(mostRetryMs, ...waitsMs)) })
    this.reason = reason
  }
}
