/** Copies of callers' calls, whose answers are discarded: nobody waits for them, and nothing else learns of them. */
import type { Model, Target } from '../domain/catalog.ts'
import type { Admission } from './admission.ts'
import { type Call, type CallRecord, newRecord, type Route } from './call.ts'
import { collect, collectsEvents } from './collect-answer.ts'
import type { Course } from './course.ts'
import { Dispatch } from './dispatch.ts'
import type { Engine } from './engine.ts'
import { Fault } from './fault.ts'
import type { Fleet } from './fleet.ts'
import type { Receiver, Reception } from './reception.ts'
import { type LiveCall, receive } from './stream-answer.ts'

/**
 * At once. Each may hold a request body and a whole answer, and costs this process what a caller does: enough to compare arms
 * by, too few for callers to notice.
 */
const maxCopies = 16

export interface Copy {
  /** The caller's own call. */
  readonly call: Call
  /** Its model, with the targets alone that may have the copy. */
  readonly model: Model
  readonly fleet: Fleet
  /** Called once; with null where it was dropped or stopped. */
  readonly onOver: (record: CallRecord | null) => void
}

export interface ShadowsOptions {
  readonly admission: Admission
  /** Whether callers are sent to the backend of this name as well. */
  readonly servesCallers: (backend: string) => boolean
  /** A copy could not be made, which is a mistake of ours. */
  readonly onMistake: (error: unknown) => void
}

/** The copies of one process that are under way. */
export class Shadows {
  readonly #options: ShadowsOptions
  readonly #running = new Map<LiveCall, Promise<void>>()
  #isClosed = false

  constructor(options: ShadowsOptions) {
    this.#options = options
  }

  /** Never throws. It begins after the caller's own call, which begins in this turn and so never finds the slot taken. */
  send(copy: Copy): void {
    setImmediate(() => this.#begin(copy))
  }

  /** Fulfilled when those that run now are over. */
  async afterRunning(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  /** Ends all, and begins no more. */
  close(): void {
    this.#isClosed = true
    for (const dispatch of this.#running.keys()) dispatch.stop(new Fault('shutdown', 'the server is stopping'))
  }

  #begin({ call, model, fleet, onOver }: Copy): void {
    const targets = model.targets.filter(target => this.#hasRoom(call, target, fleet))
    if (this.#isClosed || this.#running.size >= maxCopies || targets.length === 0) {
      onOver(null)
      return
    }
    const copy: Call = {
      ...call,
      model: { ...model, targets },
      arm: null,
      trace: null,
      caller: { ...call.caller, tier: null, queueWaitMs: 0 },
      record: newRecord(),
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = (fault: Fault | null) => {
      this.#running.delete(dispatch)
      resolve()
      onOver(fault?.kind === 'shutdown' ? null : copy.record)
    }
    const dispatch: Dispatch = new Dispatch(copy, fleet, { ...discard(copy), end }, oneTry(copy.model))
    this.#running.set(dispatch, promise)
    try {
      dispatch.start()
    } catch (cause) {
      this.#options.onMistake(cause)
      dispatch.stop(new Fault('failed', 'the copy could not be made', { cause }))
    }
  }

  /**
   * Whether there is a slot that nobody waits for, behind a breaker that is closed. Of a backend that callers are sent to as
   * well, the last free slot is theirs.
   */
  #hasRoom({ operation }: Call, { backend: name, endpoints, weight }: Target, fleet: Fleet): boolean {
    const { admission, servesCallers } = this.#options
    const backend = fleet.get(name)
    if (weight === 0 || !endpoints.has(operation) || !backend.isOpen(operation)) return false
    if (backend.gate(operation).state !== 'closed' || admission.waiting(backend.id) > 0) return false
    return backend.slots === null || admission.inFlight(backend.id) + (servesCallers(name) ? 1 : 0) < backend.slots
  }
}

const noPass = { began() {}, succeeded() {}, failed() {}, ended() {} }

/** One attempt, of which breakers and retry budgets learn nothing. */
const oneTry = (model: Model): Course => ({
  model,
  failedOn: new Set(),
  enter: () => noPass,
  began() {},
  afterFailure: fault => fault,
  afterRefusal: refusal => refusal,
})

/** Reads the answer as it is read for its caller, so that both take the same time, and throws it away. */
function discard(call: Call): Omit<Receiver, 'end'> {
  // Embeddings come in one piece, whatever the body says.
  const isStream = call.stream && call.operation !== 'embeddings'
  return {
    relays: true,
    wantsStream: (engine: Engine) => isStream || collectsEvents(call, engine),
    begin: (route: Route): Reception => (isStream ? receive(call, route, nowhere, noCost) : collect(call, route)),
  }
}

const nowhere = { write() {}, hold() {} }
const noCost = () => null
