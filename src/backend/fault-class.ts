/** What a fault means for what comes next. */
import type { FailedKind } from '../domain/retry.ts'
import type { Fault, Phase } from './fault.ts'

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
      return timedOutKindOf(fault.details.phase)
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
    case 'internal':
      return 'answered'
  }
}

function timedOutKindOf(phase: Phase | undefined): FailedKind {
  if (phase === 'probe' || phase === 'connect') return 'unsent'
  return phase === 'first-token' ? 'lost' : 'answered'
}

/** A silence in these says something of the request, or of how busy the backend is. */
const innocentPhases: ReadonlySet<Phase | undefined> = new Set(['probe', 'total', 'deadline'])

/** Whether it speaks against the backend: for its breaker. */
export function isBackendsFault(fault: Fault): boolean {
  switch (fault.kind) {
    case 'connect':
    case 'reset':
    case 'incomplete':
    case 'rubbish':
      return true
    case 'failed':
      // It has not this model, or not this endpoint: its other models are none the worse for it.
      return !isClientStatus(fault.details.status)
    case 'timeout':
      // How long a whole answer takes is the request's doing, and who is busy answers probes late.
      return !innocentPhases.has(fault.details.phase)
    // It is alive, and says when to come again.
    case 'busy':
    // Our key is wrong, which a pause does not mend.
    case 'refused':
    case 'client':
    case 'context':
    case 'client-gone':
    case 'client-stall':
    case 'shutdown':
    case 'internal':
      return false
  }
}

const isClientStatus = (status = 500): boolean => status >= 400 && status < 500
