import type { Target } from '../domain/catalog.ts'
import type { AttemptTrace } from '../traces/request-trace.ts'
import type { Place, Waiting } from './admission.ts'
import { receiveInto } from './attempt-sink.ts'
import type { AttemptHandle, Backend } from './backend.ts'
import { type Call, callPath, noteEnd, noteSent, noteTry, type Route, traceAttempt } from './call.ts'
import type { Course } from './course.ts'
import { detectEngine } from './detection.ts'
import { asFault, deadlinePassed, type Fault } from './fault.ts'
import { isBackendsFault } from './fault-class.ts'
import type { Fleet } from './fleet.ts'
import type { Pass } from './gate.ts'
import { QueueTime } from './queue-time.ts'
import type { Receiver, Reception } from './reception.ts'

type State = 'idle' | 'waiting' | 'attempting' | 'backing-off' | 'over'

/**
 * The way of one call: a place on a backend, an attempt there, and where that fails before its caller has anything of the
 * answer, another one, elsewhere first. Ends once; from outside by `stop`, in every phase.
 */
export class Dispatch {
  readonly #call: Call
  readonly #fleet: Fleet
  readonly #receiver: Receiver
  readonly #course: Course
  readonly #queue: QueueTime
  #state: State = 'idle'
  #waiting: Waiting | null = null
  #place: Place | null = null
  #attempt: AttemptHandle | null = null
  #reception: Reception | null = null
  #pass: Pass | null = null
  #trace: AttemptTrace | null = null
  #timer: NodeJS.Timeout | null = null
  #isPaused = false
  /** It waits until its own time is up, and no shorter. */
  #waitsToTheEnd = false

  constructor(call: Call, fleet: Fleet, receiver: Receiver, course: Course) {
    this.#call = call
    this.#fleet = fleet
    this.#receiver = receiver
    this.#course = course
    this.#queue = new QueueTime(call)
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
    this.#waitsToTheEnd = leftMs <= this.#queue.leftMs
    const found = this.#fleet.admit(this.#call, {
      model: this.#course.model,
      failedOn: this.#course.failedOn,
      waitMs: Math.min(leftMs, this.#queue.leftMs),
      // In the moment of admission: of those who come at the same time one may be let in to try a backend.
      onChosen: backend => {
        this.#pass = this.#course.enter(backend)
      },
    })
    if ('place' in found) this.#wait(found)
    else this.#begin(found)
  }

  #wait(waiting: Waiting): void {
    this.#state = 'waiting'
    this.#waiting = waiting
    this.#queue.begin()
    waiting.place.then(
      place => {
        this.#queue.end()
        this.#waiting = null
        if (this.#state !== 'over') return this.#begin(place)
        this.#pass?.ended()
        place.release(false)
      },
      (error: unknown) => {
        this.#queue.end()
        this.#waiting = null
        if (this.#state !== 'over') this.#refused(asFault(error))
      },
    )
  }

  /** No backend of this model takes it: another model may, where one is configured. */
  #refused(fault: Fault): void {
    // By the reason, not by the clock: a timer may fire a moment too early.
    const hasWaited = fault.details.refusal === 'queue-timeout'
    if (hasWaited) this.#queue.exhaust()
    if (hasWaited && this.#waitsToTheEnd) this.#end(deadlinePassed())
    else {
      const told = this.#course.afterRefusal(fault)
      if (told === null) this.#seekPlace()
      else this.#end(told)
    }
  }

  #begin(place: Place): void {
    this.#place = place
    this.#state = 'attempting'
    const { target } = place.candidate
    const backend = this.#fleet.get(target.backend)
    if (backend.engine !== null) this.#try({ backend, engine: backend.engine, target })
    else this.#detect(backend, target)
  }

  #detect(backend: Backend, target: Target): void {
    const fail = (fault: Fault) => {
      noteTry(this.#call, { backend, target }, this.#course.model)
      this.#failed(fault, { backend, engine: null, target })
    }
    detectEngine(backend, this.#call.caller.deadlineMs).then(
      found => this.#state !== 'over' && this.#try({ backend, engine: found, target }),
      (error: unknown) => this.#state !== 'over' && fail(asFault(error)),
    )
  }

  #try(route: Route): void {
    const call = this.#call
    const { backend, engine, target } = route
    const stream = this.#receiver.wantsStream(engine)
    const reception = this.#receiver.begin(route)
    this.#reception = reception
    const { model } = this.#course
    noteTry(call, route, model)
    this.#course.began(backend)
    this.#trace = traceAttempt(call, route)
    const leftMs = () => Math.max(1, call.caller.deadlineMs - performance.now())
    const sink = receiveInto(reception, {
      onSent: () => noteSent(call),
      onContent: () => this.#contentBegan(),
      onDone: () => this.#succeeded(route),
      onFault: fault => this.#failed(fault, route),
    })
    const body = call.buildBody({ model, target, engine, stream })
    this.#attempt = backend.attempt(
      engine,
      { path: callPath(call), body, stream, leftMs, traceHeaders: this.#trace?.headers },
      sink,
    )
    if (this.#isPaused) this.#attempt.pause()
  }

  #contentBegan(): void {
    this.#call.record.firstContentAt ??= performance.now()
    this.#attempt?.contentBegan()
    this.#trace?.firstToken()
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
    this.#trace?.end(fault, this.#reception?.usage ?? null)
    const { record } = this.#call
    const { backend, engine } = route
    const tried = record.tries.at(-1)
    if (tried !== undefined) tried.fault = fault.kind
    if (isBackendsFault(fault)) this.#pass?.failed(fault)
    else this.#pass?.ended()
    const known = engine === null ? undefined : { ...route, engine }
    const next = this.#isShown ? fault : this.#course.afterFailure(fault, backend, engine)
    if (typeof next !== 'number') this.#end(next, known)
    else {
      record.firstContentAt = null
      this.#leavePlace(false)
      this.#tryAgain(next, fault, known)
    }
  }

  /** Whether the caller has a part of the answer, and another one would not go on from there. */
  get #isShown(): boolean {
    return this.#receiver.relays && this.#reception?.hasContent === true
  }

  /** Another backend at once; the same one after a moment, where there is no other. */
  #tryAgain(waitMs: number, fault: Fault, route: Route | undefined): void {
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

  #leavePlace(isServed: boolean): void {
    this.#attempt = null
    this.#reception = null
    this.#pass = null
    this.#place?.release(isServed)
    this.#place = null
  }

  /** `route`: of the last attempt, where there was one. */
  #end(fault: Fault | null, route?: Route): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#queue.end()
    this.#waiting?.cancel()
    this.#waiting = null
    this.#pass?.ended()
    const { usage = null, pieces = 0 } = this.#reception ?? {}
    this.#trace?.end(fault, usage)
    if (route === undefined) this.#call.record.fault = fault
    else noteEnd(this.#call, route.engine, { usage, pieces, fault })
    this.#leavePlace(fault === null)
    this.#receiver.end(fault)
  }
}
