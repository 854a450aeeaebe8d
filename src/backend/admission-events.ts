import type { AdmissionRequest, Place } from './admission.ts'
import type { RefusalReason } from './fault.ts'

/** What is told of calls that look for a place. */
export interface AdmissionEvents {
  /** It begins to wait, in however many queues; see Waiting for its position. */
  readonly onJoined: (request: AdmissionRequest, position: number) => void
  /** It no longer waits. */
  readonly onLeft: (request: AdmissionRequest) => void
  /** Also for a call that did not wait. */
  readonly onAdmitted: (request: AdmissionRequest, place: Place) => void
  readonly onRefused: (request: AdmissionRequest, reason: RefusalReason) => void
}
