/** How a request ended, in one word of a set that is closed: for metrics, traces and the log. */
import { type FaultKind, isLeaving } from '../backend/fault.ts'
import type { ErrorName } from '../errors.ts'

export interface Ending {
  /** What its caller was answered; null where it was no error, or the answer had begun. */
  readonly error: ErrorName | null
  /** Of its call to a backend; null while that went well, and where there was none. */
  readonly fault: FaultKind | null
  /** Whether its caller was there to the end. */
  readonly isDelivered: boolean
}

/** What a fault is once an answer has begun, when no status can say so any more. */
const lateFaults: Record<FaultKind, string> = {
  connect: 'upstream_error',
  reset: 'upstream_incomplete',
  incomplete: 'upstream_incomplete',
  timeout: 'upstream_timeout',
  rubbish: 'upstream_error',
  busy: 'overloaded',
  refused: 'upstream_error',
  failed: 'upstream_error',
  client: 'invalid_request',
  context: 'context_length_exceeded',
  'client-gone': 'client_cancel',
  'client-stall': 'client_cancel',
  shutdown: 'server_shutdown',
  internal: 'internal',
}

/** The name of an error as it is told outside. */
export const wordsOf = (name: ErrorName): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** `ok`, `client_cancel`, or the name of an error. */
export function outcomeOf({ error, fault, isDelivered }: Ending): string {
  if (fault !== null && isLeaving(fault)) return lateFaults[fault]
  if (error !== null) return isDelivered ? wordsOf(error) : 'client_cancel'
  if (fault !== null) return lateFaults[fault]
  return isDelivered ? 'ok' : 'client_cancel'
}
