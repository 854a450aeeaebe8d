import type { Target } from '../domain/catalog.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { AdmissionEvents } from './admission-events.ts'
import type { Bulkhead } from './bulkhead.ts'
import { Bulkheads } from './bulkheads.ts'
import type { RefusalReason } from './fault.ts'
import { Refusal } from './refusal.ts'
import { turnOf, WaitingCall } from './waiting-call.ts'

/** What admission has to know of a backend. */
export interface Server {
  readonly name: string
  /** Who has the same is the same server, with other settings perhaps: one at another URL is another one, whatever its name. */
  readonly id: string
  /** Requests it runs at once; null while nobody knows: then there is no bound. */
  readonly slots: number | null
  /** Whether it takes requests for this endpoint now, slots aside: not loading, not drained, let in by its breaker. */
  isOpen(endpoint: EndpointName): boolean
  /** Until that may change by itself, in milliseconds; 0 where it need not. */
  pauseLeftMs(endpoint: EndpointName): number
}

export interface Candidate {
  readonly target: Target
  readonly server: Server
}

export interface AdmissionRequest {
  readonly endpoint: EndpointName
  readonly candidates: readonly Candidate[]
  readonly account: string
  /** For the metrics; null where nobody waits for its answer. */
  readonly tier: string | null
  /** Higher goes first. */
  readonly priority: number
  /** The longest wait, in milliseconds; with 0 it does not wait. */
  readonly waitMs: number
  /** It has had a place already, where it failed: it goes before the others of its account. */
  readonly isRetry: boolean
  /**
   * Picks one of those that are open and have a free slot. Called in the moment of admission, and what it answers has the
   * place: whoever takes something at that moment, such as the one probe of a breaker, takes it here.
   */
  readonly choose: (free: readonly Candidate[]) => Candidate
}

/** A slot on a backend, as long as an attempt runs there. */
export interface Place {
  readonly candidate: Candidate
  readonly waitedMs: number
  /**
   * Gives it back, once: the next call may begin before this returns. Tell the breaker how it went before that. `isServed`,
   * true unless said otherwise: it had a whole answer, so how long it was held says how long others may wait.
   */
  release(isServed?: boolean): void
}

export interface Waiting {
  /** Rejects with a Refusal, or with a Fault where it was cancelled. */
  readonly place: Promise<Place>
  /** How many are before it, at the backend where it is nearest to its turn; 1,000 stands for more as well. */
  readonly position: number
  /** Without effect once there is a place, which is then to be released. */
  cancel(): void
}

export interface AdmissionOptions {
  /** A call may wait as long as one of its open backends has fewer in its queue. */
  readonly maxWaiting: number
  readonly events: AdmissionEvents
  /** A monotonic clock, in milliseconds. */
  readonly nowMs?: () => number
}

/**
 * Who runs on which backend, and who waits: a backend never has more calls than slots, and whoever waits for it gets the next
 * slot in fair order. A call waits for all of its candidates at once. One for the whole process.
 */
export class Admission {
  readonly #maxWaiting: number
  readonly #events: AdmissionEvents
  readonly #nowMs: () => number
  readonly #bulkheads: Bulkheads
  /** Where there may be something to give out. */
  readonly #unsettled = new Set<Bulkhead>()
  /** A slot is being given: what that sets off, such as a wake, gives out nothing before it is done. */
  #isGiving = false

  constructor({ maxWaiting, events, nowMs = () => performance.now() }: AdmissionOptions) {
    this.#maxWaiting = maxWaiting
    this.#events = events
    this.#nowMs = nowMs
    this.#bulkheads = new Bulkheads(nowMs)
  }

  /** A place at once where there is a free slot that nobody waits for; a refusal comes as a wait that has ended already. */
  admit(request: AdmissionRequest): Place | Waiting {
    return (this.#isGiving ? null : this.#takeFree(request)) ?? this.#wait(request)
  }

  /** The backend's slots, or what it takes, may have changed. */
  wake({ id }: Server): void {
    const bulkhead = this.#bulkheads.find(id)
    if (bulkhead !== undefined) this.#wake(bulkhead)
  }

  /** These are in force from now on, in the place of any others: theirs are the slots. */
  use(servers: Iterable<Server>): void {
    for (const bulkhead of this.#bulkheads.use(servers)) this.#wake(bulkhead)
  }

  /** Places that are held on the server of this id. */
  inFlight(id: string): number {
    return this.#bulkheads.find(id)?.inFlight ?? 0
  }

  /** Calls that wait for it, and perhaps for others too. */
  waiting(id: string): number {
    return this.#bulkheads.find(id)?.queue.size ?? 0
  }

  /** How long the one of these has waited so far that has waited longest, in milliseconds; 0 where none waits. */
  longestWaitMs(id: string): number {
    return this.#bulkheads.find(id)?.longestWaitMs() ?? 0
  }

  #wake(bulkhead: Bulkhead): void {
    for (const call of [...bulkhead.queue]) if (!call.hasHope) this.#refuse(call, 'no-backend')
    this.#giveOut(bulkhead)
  }

  #takeFree(request: AdmissionRequest): Place | null {
    const { candidates, endpoint } = request
    // A backend may have opened by itself: whoever waits for it goes first.
    for (const { server } of candidates) this.#giveOut(this.#bulkheads.of(server))
    const free = candidates.filter(({ server }) => this.#bulkheads.of(server).hasRoom && server.isOpen(endpoint))
    if (free.length === 0) return null
    try {
      return this.#give(() => this.#occupy(request, free, 0))
    } finally {
      this.#settle()
    }
  }

  #wait(request: AdmissionRequest): Waiting {
    const call = new WaitingCall(request, this.#nowMs())
    if (!call.hasHope) return this.#refuse(call, 'no-backend')
    if (request.waitMs <= 0) return this.#refuse(call, 'queue-timeout')
    if (!this.#makeRoom(request)) return this.#refuse(call, 'queue-full')
    for (const { server } of request.candidates) {
      const bulkhead = this.#bulkheads.of(server)
      call.join(bulkhead)
      if (this.#isGiving) this.#unsettled.add(bulkhead)
    }
    call.begin({
      onLate: () => this.#refuse(call, 'queue-timeout'),
      onLeave: () => this.#events.onLeft(request),
    })
    this.#events.onJoined(request, call.position)
    return call
  }

  /**
   * A call stands in all of its queues or in none, so the bound is on the shortest. A longer one may exceed it, but no more
   * calls wait in all than backends times the bound.
   */
  #makeRoom(request: AdmissionRequest): boolean {
    const { candidates, endpoint } = request
    const open = candidates
      .filter(({ server }) => server.isOpen(endpoint))
      .map(({ server }) => this.#bulkheads.of(server))
    if (open.some(({ queue }) => queue.size < this.#maxWaiting)) return true
    for (const { queue } of open) {
      const displaced = queue.displaceFor(turnOf(request))
      if (displaced === null) continue
      this.#refuse(displaced, 'queue-full')
      return true
    }
    return false
  }

  #refuse(call: WaitingCall, reason: RefusalReason): WaitingCall {
    if (call.isOver) return call
    const waitsMs = call.request.candidates.map(({ server }) => this.#bulkheads.of(server).retryAfterMs(call, server))
    const refusal = new Refusal(reason, waitsMs)
    call.end(refusal)
    this.#events.onRefused(call.request, reason)
    return call
  }

  #giveOut(bulkhead: Bulkhead): void {
    if (!bulkhead.mayServe) return
    this.#unsettled.add(bulkhead)
    this.#settle()
  }

  #settle(): void {
    if (this.#isGiving) return
    this.#give(() => {
      // What is added on the way is visited as well.
      for (const bulkhead of this.#unsettled) {
        this.#unsettled.delete(bulkhead)
        while (bulkhead.mayServe) {
          const call = bulkhead.queue.shift(one => one.isTakenBy(bulkhead))
          if (call === null) break
          this.#admitWaiting(call, bulkhead)
        }
      }
    })
  }

  #give<Given>(work: () => Given): Given {
    this.#isGiving = true
    try {
      return work()
    } finally {
      this.#isGiving = false
    }
  }

  #admitWaiting(call: WaitingCall, { id }: Bulkhead): void {
    const { request, sinceMs } = call
    const free = request.candidates.filter(({ server }) => server.id === id && server.isOpen(request.endpoint))
    call.leave()
    try {
      call.admit(this.#occupy(request, free, this.#nowMs() - sinceMs))
    } catch (error) {
      // Whoever gave the slot back is not to blame.
      call.end(error)
    }
  }

  #occupy(request: AdmissionRequest, free: readonly Candidate[], waitedMs: number): Place {
    const candidate = request.choose(free)
    const bulkhead = this.#bulkheads.of(candidate.server)
    const place = bulkhead.take(request, candidate, waitedMs, () => {
      this.#giveOut(bulkhead)
      this.#bulkheads.forgetIdle(bulkhead)
    })
    this.#events.onAdmitted(request, place)
    return place
  }
}
