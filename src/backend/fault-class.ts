/** What a fault means for what comes next. */
import type { FailedKind } from '../domain/retry.ts'
import type { Fault } from './fault.ts'

/** For one who thinks of trying again, as long as no content has come. */
export function failedKindOf(fault: Fault): FailedKind {
  switch (fault.kind) {
    case 'connect':
      return 'unsent'
    case 'busy':
      return 'turned-away'
    case 'reset':
    case 'incomplete':
      return 'lost'
    case 'timeout':
      // The whole time of a request cannot be had twice, and a silence after content is not for trying again.
      return fault.details.phase === 'connect' ? 'unsent' : fault.details.phase === 'first-token' ? 'lost' : 'answered'
    case 'failed':
      // An error in a 200 came after the work had begun; the backend has ended it.
      return fault.details.status === undefined ? 'lost' : 'answered'
    case 'rubbish':
      return 'lost'
    case 'refused':
    case 'client':
    case 'context':
    case 'client-gone':
    case 'client-stall':
    case 'shutdown':
      return 'answered'
  }
}

/** Whether it speaks against the backend: for its breaker. */
export function isBackendsFault(fault: Fault): boolean {
  switch (fault.kind) {
    case 'connect':
    case 'reset':
    case 'incomplete':
    case 'rubbish':
    case 'failed':
      return true
    case 'timeout':
      // How long a whole answer takes is the request's doing.
      return fault.details.phase !== 'total' && fault.details.phase !== 'deadline'
    // It is alive, and says when to come again.
    case 'busy':
    // Our key is wrong, which a pause does not mend.
    case 'refused':
    case 'client':
    case 'context':
    case 'client-gone':
    case 'client-stall':
    case 'shutdown':
      return false
  }
}
