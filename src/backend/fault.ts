/**
 * What can go wrong with one attempt, and what the caller is told. A backend's own words never reach the caller: they can
 * hold paths, prompts and addresses.
 */
import { WeirError } from '../errors.ts'

export type FaultKind =
  /** No connection could be opened: nothing was sent. */
  | 'connect'
  /** The connection ended before the answer did. */
  | 'reset'
  /** A stream ended as if it were whole, but it was not. */
  | 'incomplete'
  /** A phase took longer than it may. */
  | 'timeout'
  /** It answered something that is not the protocol. */
  | 'rubbish'
  /** It is there but cannot take the request now. */
  | 'busy'
  /** It refuses us: our key or address is wrong. */
  | 'refused'
  /** It failed at the request. */
  | 'failed'
  /** The caller's request is at fault. */
  | 'client'
  /** The prompt does not fit into the model's context. */
  | 'context'
  /** The caller left. */
  | 'client-gone'
  /** The caller stopped reading. */
  | 'client-stall'
  /** We stop. */
  | 'shutdown'
  /** The answer was there, and a mistake of ours kept it from its caller. */
  | 'internal'

export type Phase = 'probe' | 'connect' | 'first-token' | 'idle' | 'total' | 'deadline'

/** Why a call was given no place on a backend. */
export type RefusalReason =
  /** As many wait as may. */
  | 'queue-full'
  /** No slot came free in the time that the call may wait. */
  | 'queue-timeout'
  /** No backend takes requests now: drained, or its breaker is open. */
  | 'no-backend'

interface FaultDetails {
  readonly phase?: Phase
  readonly status?: number
  readonly retryAfterMs?: number
  /** The connection had served an earlier request and ended before a byte of this answer: it may be sent again. */
  readonly staleConnection?: boolean
  /** The call was given no place: nothing was sent. */
  readonly refusal?: RefusalReason
}

export class Fault extends Error {
  readonly kind: FaultKind
  readonly details: FaultDetails

  /** `what` and the cause are for the log: they must hold nothing of the backend's or the caller's text. */
  constructor(kind: FaultKind, what: string, { cause, ...details }: FaultDetails & ErrorOptions = {}) {
    super(what, cause === undefined ? undefined : { cause })
    this.name = 'Fault'
    this.kind = kind
    this.details = details
  }

  /** The same, with another time to come again, in milliseconds. */
  withRetryAfter(retryAfterMs: number): Fault {
    return new Fault(this.kind, this.message, { ...this.details, retryAfterMs, cause: this.cause })
  }
}

/** To leave and not to read is the caller's doing, not a failure. */
export const isLeaving = (kind: FaultKind): boolean => kind === 'client-gone' || kind === 'client-stall'

/** Whoever else waits for the same answer may have more time, or wait longer for a place. */
export const isOfOneCaller = ({ kind, details }: Fault): boolean =>
  isLeaving(kind) || details.phase === 'deadline' || details.refusal === 'queue-timeout'

/** Before or between attempts. */
export const deadlinePassed = (): Fault => new Fault('timeout', 'the time of the request is up', { phase: 'deadline' })

/** Throws what is none: that is a mistake of ours. */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  throw error
}

const phaseWords: Record<Phase, string> = {
  probe: 'did not say in time what it is',
  connect: 'did not accept a connection in time',
  'first-token': 'did not begin to answer in time',
  idle: 'stopped in the middle of its answer',
  total: 'took longer than one answer may take',
  deadline: 'did not end its answer in the time that this request has',
}

export interface FaultContext {
  readonly model: string
  /** The request field that holds the prompt: `messages`, `prompt` or `input`. */
  readonly promptField: string
  /** We have tried again already: the caller's client need not, at once. */
  readonly wasTriedAgain: boolean
}

/** Of all that is our mistake. */
export const internalMessage = 'Something went wrong on our side. The request id is in x-request-id.'

/** What the caller is told of a fault. */
export function toWeirError(fault: Fault, { model, promptField, wasTriedAgain }: FaultContext): WeirError {
  const cause = fault
  const advice = { cause, ...(wasTriedAgain ? { shouldRetry: false as const } : {}) }
  switch (fault.kind) {
    case 'context':
      return new WeirError(
        'contextLengthExceeded',
        `This request is longer than the context of model '${model}'. Shorten ${promptField}, or ask for fewer tokens.`,
        { param: promptField, cause: fault },
      )
    case 'client':
      return new WeirError(
        'invalidRequest',
        `The server of model '${model}' cannot serve this request: it asks for something the model does not support.`,
        { cause },
      )
    case 'busy':
      return new WeirError('overloaded', busyMessage(fault.details.refusal, model), {
        retryAfterMs: fault.details.retryAfterMs ?? 1000,
        ...advice,
        // What has failed again and again is not there for the next try of an SDK either.
        ...(fault.details.refusal === 'no-backend' ? { shouldRetry: false } : {}),
      })
    case 'timeout':
      return new WeirError(
        'upstreamTimeout',
        `The server of model '${model}' ${phaseWords[fault.details.phase ?? 'total']}.`,
        advice,
      )
    case 'incomplete':
    case 'reset':
    case 'connect':
    case 'rubbish':
    case 'refused':
    case 'failed':
      return new WeirError('upstreamError', upstreamMessage(fault.kind, model), advice)
    case 'shutdown':
      return new WeirError('overloaded', 'This server is stopping. Try again: another one will answer.', { cause })
    case 'client-gone':
    case 'client-stall':
      return new WeirError('requestTimeout', 'The answer was not read.', { cause })
    case 'internal':
      return new WeirError('internal', internalMessage, { cause })
  }
}

function busyMessage(refusal: RefusalReason | undefined, model: string): string {
  switch (refusal) {
    case 'queue-full':
      return `Too many requests wait for model '${model}'. Try again later.`
    case 'queue-timeout':
      return `Model '${model}' had no slot free for this request in the time that it may wait. Try again later.`
    case 'no-backend':
      return `Model '${model}' is not available at the moment: its server has failed and is given a pause, or is drained.`
    case undefined:
      return `Model '${model}' is busy or still loading. Try again shortly.`
  }
}

function upstreamMessage(kind: 'incomplete' | 'reset' | 'connect' | 'rubbish' | 'refused' | 'failed', model: string) {
  const server = `The server of model '${model}'`
  switch (kind) {
    case 'connect':
      return `${server} cannot be reached.`
    case 'reset':
    case 'incomplete':
      return `${server} ended its answer before it was complete.`
    case 'rubbish':
      return `${server} answered something that is not an answer.`
    case 'refused':
      return `${server} refuses this gateway: its credentials or address need an operator's attention.`
    case 'failed':
      return `${server} failed at this request.`
  }
}

/** What the caller is told once the stream has begun: there the ways of ending early have codes of their own. */
export function toStreamError(fault: Fault, context: FaultContext): WeirError {
  switch (fault.kind) {
    case 'reset':
    case 'incomplete':
      return new WeirError('upstreamIncomplete', upstreamMessage(fault.kind, context.model), { cause: fault })
    case 'shutdown':
      return new WeirError('serverShutdown', 'This server is stopping; the answer is incomplete.', { cause: fault })
    default:
      return toWeirError(fault, context)
  }
}
