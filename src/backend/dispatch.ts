import type { Target } from '../domain/catalog.ts'
import type { Usage } from '../domain/usage.ts'
import type { Place, Waiting } from './admission.ts'
import type { AttemptHandle, Backend } from './backend.ts'
import { type Call, callPath, noteEnd, noteSent, noteTry, type Route } from './call.ts'
import type { Engine } from './engine.ts'
import { Failover } from './failover.ts'
import { asFault, deadlinePassed, type Fault } from './fault.ts'
import { isBackendsFault } from './fault-class.ts'
import type { Fleet } from './fleet.ts'
import type { Pass } from './gate.ts'

/** What takes the answer of one attempt. */
export interface Reception {
  /** As AttemptSink has it: false where the bytes do not bring the answer on; may throw a Fault. */
  onData(chunk: Buffer): boolean
  /** May throw a Fault where the answer is not whole. */
  onEnd(): void
  /** Whether nothing more is needed. */
  readonly isDone: boolean
  /** Whether a part of the answer has come: from then on nothing is tried again. */
  readonly hasContent: boolean
  readonly usage: Usage | null
  /** See CallRecord. */
  readonly pieces: number
}

/** What takes the answer of one call, whichever attempt it comes from. */
export interface Receiver {
  /** Whether an engine of this kind is asked for a stream. */
  wantsStream(engine: Engine): boolean
  /** For a new attempt; whatever came of an earlier one is void. */
  begin(route: Route): Reception
  /** The call is over, well where there is no fault. Once. */
  end(fault: Fault | null): void
}

type State = 'idle' | 'waiting' | 'attempting' | 'backing-off' | 'over'

/**
 * The way of one call: a place on a backend, an attempt there, and where that fails before any content came, another one,
 * elsewhere first. Ends once; from outside by `stop`, in every phase.
 */
export class Dispatch {
  readonly #call: Call
  readonly #fleet: Fleet
  readonly #receiver: Receiver
  readonly #failover: Failover
  #state: State = 'idle'
  #waiting: Waiting | null = null
  #place: Place | null = null
  #attempt: AttemptHandle | null = null
  #reception: Reception | null = null
  #pass: Pass | null = null
  #timer: NodeJS.Timeout | null = null
  #isPaused = false

  constructor(call: Call, fleet: Fleet, receiver: Receiver) {
    this.#call = call
    this.#fleet = fleet
    this.#receiver = receiver
    this.#failover = new Failover(call, fleet)
  }

  /** Begins; may end before it returns. */
  start(): void {
    this.#seekPlace()
  }

  /** Ends the call with this fault and lets go of all that it holds. */
  stop(fault: Fault): void {
    // The attempt's own end comes back here.
    if (this.#state === 'attempting' && this.#attempt !== null) this.#attempt.abort(fault)
    else this.#end(fault)
  }

  pause(): void {
    this.#isPaused = true
    this.#attempt?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#attempt?.resume()
  }

  #seekPlace(): void {
    const { caller } = this.#call
    const leftMs = caller.deadlineMs - performance.now()
    if (leftMs <= 0) {
      this.#end(deadlinePassed())
      return
    }
    const found = this.#fleet.admit(this.#call, {
      model: this.#failover.model,
      failedOn: this.#failover.failedOn,
      waitMs: Math.min(leftMs, caller.queueWaitMs),
      // In the moment of admission: of those who come at the same time one may be let in to try a backend.
      onChosen: backend => {
        this.#pass = backend.gate(this.#call.operation).enter()
      },
    })
    if ('place' in found) this.#wait(found)
    else this.#begin(found)
  }

  #wait(waiting: Waiting): void {
    this.#state = 'waiting'
    this.#waiting = waiting
    waiting.place.then(
      place => {
        this.#waiting = null
        if (this.#state !== 'over') return this.#begin(place)
        this.#pass?.ended()
        place.release()
      },
      (error: unknown) => {
        this.#waiting = null
        if (this.#state !== 'over') this.#refused(asFault(error))
      },
    )
  }

  /** No backend of this model takes it: another model may, where one is configured. */
  #refused(fault: Fault): void {
    if (!this.#failover.fallBack()) {
      this.#end(this.#call.caller.deadlineMs <= performance.now() ? deadlinePassed() : fault)
      return
    }
    this.#seekPlace()
  }

  #begin(place: Place): void {
    this.#place = place
    this.#state = 'attempting'
    const { target } = place.candidate
    const backend = this.#fleet.get(target.backend)
    const { engine } = backend
    if (engine !== null) this.#try({ backend, engine, target })
    else this.#detect(backend, target)
  }

  #detect(backend: Backend, target: Target): void {
    backend.getEngine().then(
      found => this.#state !== 'over' && this.#try({ backend, engine: found, target }),
      (error: unknown) => this.#state !== 'over' && this.#failed(asFault(error), { backend, engine: null, target }),
    )
  }

  #try(route: Route): void {
    const call = this.#call
    const { backend, engine, target } = route
    const stream = this.#receiver.wantsStream(engine)
    const reception = this.#receiver.begin(route)
    this.#reception = reception
    noteTry(call, route, this.#failover.model)
    if (call.record.attempts === 1) this.#fleet.deposit(backend)
    const leftMs = Math.max(1, call.caller.deadlineMs - performance.now())
    let hasContent = false
    const sink = {
      onSent: () => noteSent(call),
      onData: (chunk: Buffer) => {
        const isProgress = reception.onData(chunk)
        if (!hasContent && reception.hasContent) {
          hasContent = true
          this.#contentBegan()
        }
        if (reception.isDone) this.#succeeded(route)
        return isProgress
      },
      onEnd: () => {
        reception.onEnd()
        this.#succeeded(route)
      },
      onFault: (fault: Fault) => this.#failed(fault, route),
    }
    const body = call.buildBody(target, engine, stream)
    this.#attempt = backend.attempt(engine, { path: callPath(call), body, stream, leftMs }, sink)
    if (this.#isPaused) this.#attempt.pause()
  }

  #contentBegan(): void {
    this.#call.record.firstContentAt ??= performance.now()
    this.#attempt?.contentBegan()
    this.#pass?.began()
  }

  #succeeded(route: Route): void {
    if (this.#state === 'over') return
    this.#pass?.succeeded()
    const attempt = this.#attempt
    this.#end(null, route)
    // Some servers leave the connection open after [DONE].
    attempt?.answered()
  }

  #failed(fault: Fault, route: Route | { backend: Backend; engine: null; target: Target }): void {
    if (this.#state === 'over') return
    const { record } = this.#call
    const { backend, engine } = route
    const tried = record.tries.at(-1)
    if (tried !== undefined) tried.fault = fault.kind
    if (isBackendsFault(fault)) this.#pass?.failed(fault)
    else this.#pass?.ended()
    const known = engine === null ? undefined : { ...route, engine }
    if (this.#reception?.hasContent || !this.#failover.mayTryAgain(fault, backend, engine)) this.#end(fault, known)
    else {
      this.#leavePlace()
      this.#tryElsewhere(fault, backend, known)
    }
  }

  /** Another backend at once; the same one after a moment, where there is no other. */
  #tryElsewhere(fault: Fault, backend: Backend, route: Route | undefined): void {
    const waitMs = this.#failover.waitMsBeforeNext(fault, backend)
    if (waitMs === 0) this.#seekPlace()
    else if (performance.now() + waitMs >= this.#call.caller.deadlineMs) this.#end(fault, route)
    else {
      this.#state = 'backing-off'
      this.#timer = setTimeout(() => {
        this.#timer = null
        this.#seekPlace()
      }, waitMs)
    }
  }

  #leavePlace(): void {
    this.#attempt = null
    this.#reception = null
    this.#pass = null
    this.#place?.release()
    this.#place = null
  }

  /** `route`: of the last attempt, where there was one. */
  #end(fault: Fault | null, route?: Route): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#waiting?.cancel()
    this.#waiting = null
    this.#pass?.ended()
    const { usage = null, pieces = 0 } = this.#reception ?? {}
    if (route === undefined) this.#call.record.fault = fault
    else noteEnd(this.#call, route.engine, { usage, pieces, fault })
    this.#leavePlace()
    this.#receiver.end(fault)
  }
}
