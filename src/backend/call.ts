import type { AnswerFields } from '../domain/cache-key.ts'
import type { Model, Target } from '../domain/catalog.ts'
import type { Outcome } from '../domain/settlement.ts'
import type { Usage } from '../domain/usage.ts'
import type { WeirError } from '../errors.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { AttemptTrace, CallTrace } from '../traces/request-trace.ts'
import type { Backend } from './backend.ts'
import type { Engine } from './engine.ts'
import { Fault, type FaultContext, type FaultKind, isLeaving } from './fault.ts'

/** One inference request on its way to a backend. */
export interface Call {
  readonly operation: EndpointName
  readonly model: Model
  /** Models that answer where no target of the one before can, in their order: those that its caller may use. */
  readonly fallbacks: readonly Model[]
  /** The name the caller asked for; the answer carries it. */
  readonly askedModel: string
  /** Choices expected in all: `n` times the prompts. */
  readonly choices: number
  readonly choicesPerPrompt: number
  /** Whether the caller asked for a stream, and for the usage in it. */
  readonly stream: boolean
  readonly includeUsage: boolean
  readonly caller: Caller
  /** Whose targets are to answer it as long as one of them can; null where its model compares none. */
  readonly arm: string | null
  /** What stands for the beginning of its prompt, null where there is nothing to be found again; see prefixKeyOf. */
  readonly prefixKey: () => number | null
  /** What it asks for, as far as that decides the answer. */
  readonly asks: () => AskedAnswer
  /** The body for a target; built anew for each, because names, bounds and engine fields differ. */
  readonly buildBody: (sending: Sending) => Buffer
  /** What is told of its way; null where nobody traces it. */
  readonly trace: CallTrace | null
  /** Filled in on the way, for the log, the metrics and later the ledger. */
  readonly record: CallRecord
}

/** What decides an answer, beside the model. */
export interface AskedAnswer {
  readonly fields: AnswerFields
  /** The tokens that each answer may have at most; 0 for embeddings. */
  readonly outputBound: number
}

/** What a body is built for. */
export interface Sending {
  /** Which the target is one of. */
  readonly model: Model
  readonly target: Target
  readonly engine: Engine
  readonly stream: boolean
  /** JSON that stands for a field instead of what the caller wrote there; absent where nothing does. */
  readonly instead?: ReadonlyMap<string, string>
}

/** For whom a call is made, as far as it decides who goes first and how long. */
export interface Caller {
  readonly account: string
  /** Null where nobody waits for the answer. */
  readonly tier: string | null
  /** Higher goes first where calls queue. */
  readonly priority: number
  /** The longest wait for a place on a backend. */
  readonly queueWaitMs: number
  /** When the time of the request is up, in milliseconds of the monotonic clock. */
  readonly deadlineMs: number
}

/** One attempt of a call. */
export interface Try {
  readonly backend: string
  /** The backend's own name for the model. */
  readonly model: string
  /** How it failed; null while it runs, and where it went well. */
  fault: FaultKind | null
}

/** What became of a call; read once, when the reply's socket closes. */
export interface CallRecord {
  /** Of the last attempt. */
  backend: string | null
  /** The model that was asked, which is another one after a fallback; null before the first attempt. */
  model: Model | null
  /** Of that model, by whose price the call is counted; null before the first attempt. */
  target: Target | null
  /** Which arm of the model's experiment that was; null where it was none. */
  arm: string | null
  attempts: number
  /** In their order; as many as attempts. */
  readonly tries: Try[]
  /**
   * When the first content came, in milliseconds of the monotonic clock; null where all that came of it is an error, since what
   * a backend had begun was then never given to the caller.
   */
  firstContentAt: number | null
  usage: Usage | null
  /** The waits for a slot, in milliseconds; of all its attempts together. */
  queueMs: number
  /** Null while it went well. */
  fault: Fault | null
  /** Absent as long as nothing was sent to a backend: then nothing can have been used. */
  dispatch?: Dispatch
  /** What its caller was given that a backend has worked on for another request; absent where that is nothing. */
  reused?: Reused
  /** The model that worked on it then, where its caller waited for the answer together with another one. */
  givenBy?: Model
}

/** What was used when it was made, and which share of what that would cost now its caller pays, from 0 to 1. */
export interface Reused {
  readonly usage: Usage
  readonly priceShare: number
}

/** Of a call that has not begun. */
export const newRecord = (): CallRecord => ({
  backend: null,
  model: null,
  target: null,
  arm: null,
  attempts: 0,
  tries: [],
  firstContentAt: null,
  usage: null,
  queueMs: 0,
  fault: null,
})

/** What went on at the backend. */
export interface Dispatch {
  /** When the request was first written to a connection, in milliseconds of the monotonic clock. */
  readonly sentAt: number
  /** When nothing more was to come, on the same clock; null while it runs. */
  endedAt: number | null
  /** Pieces of output that came: for each choice at least one token each, so a lower bound of the output in tokens. */
  pieces: number
  /** False where a part of the choices may not have reported its usage yet. */
  isUsageWhole: boolean
}

/** Where a call goes: one backend, and the model's name there. */
export interface Route {
  readonly backend: Backend
  readonly engine: Engine
  readonly target: Target
}

const paths: Record<EndpointName, string> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
}
export const callPath = (call: Call): string => paths[call.operation]

const promptFields: Record<EndpointName, string> = { chat: 'messages', completions: 'prompt', embeddings: 'input' }
export const faultContext = (call: Call): FaultContext => ({
  model: call.askedModel,
  promptField: promptFields[call.operation],
  wasTriedAgain: call.record.attempts > 1,
})

/** Another attempt begins, or none can because nobody says what the backend is: what an earlier one was sent for came to nothing. */
export function noteTry({ record }: Call, { backend, target }: Pick<Route, 'backend' | 'target'>, model: Model): void {
  record.backend = backend.name
  record.model = model
  record.target = target
  record.arm = target.arm ?? null
  record.attempts++
  record.tries.push({ backend: backend.name, model: target.model, fault: null })
  delete record.dispatch
}

/** The backend may be working on the request from now on. A second try of the same attempt does not begin anew. */
export function noteSent({ record }: Call): void {
  record.dispatch ??= { sentAt: performance.now(), endedAt: null, pieces: 0, isUsageWhole: false }
}

/** Nothing more is to come. `pieces` as in Dispatch. */
export function noteEnd(
  { record, choices }: Call,
  engine: Engine,
  { usage, pieces, fault }: { readonly usage: Usage | null; readonly pieces: number; readonly fault: Fault | null },
): void {
  record.usage = usage
  record.fault = fault
  const { dispatch } = record
  if (dispatch === undefined) return
  dispatch.endedAt = performance.now()
  dispatch.pieces = pieces
  // Of several choices that report each by itself, some may have had no occasion to.
  dispatch.isUsageWhole = fault === null || choices === 1 || !engine.usagePerChoice
}

/**
 * Its caller is told this error, though the call itself went well or was never made: of what a backend gave it is given
 * nothing. Where the call has failed, that is why it is told so, and nothing changes.
 */
export function noteWithheld(record: CallRecord, { statusCode, cause }: WeirError): void {
  if (record.fault !== null) return
  const kind = statusCode < 500 ? 'client' : 'internal'
  record.fault = cause instanceof Fault ? cause : new Fault(kind, 'its caller is told an error instead', { cause })
  record.firstContentAt = null
  delete record.reused
}

/** What a settlement is made of, once the call is over; `record` is null where no call was made. */
export function outcomeOf(record: CallRecord | null): Outcome {
  const { dispatch, fault = null, usage = null, firstContentAt = null, tries = [] } = record ?? {}
  // Whoever leaves between two attempts leaves one behind that has failed.
  const failure = tries.at(-1)?.fault ?? fault?.kind ?? null
  return {
    isSent: dispatch !== undefined,
    hasFailed: failure !== null && !isLeaving(failure),
    hasContent: firstContentAt !== null,
    pieces: dispatch?.pieces ?? 0,
    usage,
    isUsageWhole: dispatch?.isUsageWhole ?? false,
  }
}

/** How long a backend was busy with it, in milliseconds; up to now where it still is. */
export function durationOf(record: CallRecord | null): number {
  const { dispatch } = record ?? {}
  return dispatch === undefined ? 0 : (dispatch.endedAt ?? performance.now()) - dispatch.sentAt
}

/** Null where nobody traces it. */
export function traceAttempt({ trace, operation }: Call, { backend, engine, target }: Route): AttemptTrace | null {
  if (trace === null) return null
  const { url } = backend.config
  return trace.attempt({ operation, backend: backend.name, url, engine: engine.name, model: target.model })
}
