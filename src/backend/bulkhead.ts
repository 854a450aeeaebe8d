import { FairQueue, type Ticket } from '../domain/fair-queue.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { AdmissionRequest, Candidate, Place, Server } from './admission.ts'
import { HoldTimes } from './hold-times.ts'
import { turnOf, type WaitingCall } from './waiting-call.ts'

const leastRetryMs = 250
const unknownPauseMs = 1000

/** What is held on one server, and who waits for it. */
export class Bulkhead {
  readonly id: string
  readonly queue = new FairQueue<WaitingCall>()
  /**
   * By the configuration in force, or the last one that had it. Calls that began before a reload bring one of their own, which
   * has no say in how many run.
   */
  server: Server
  readonly #nowMs: () => number
  readonly #times = new HoldTimes()
  /** How many wait for what, so that nobody is looked for where all wait for something that is closed. */
  readonly #demand = new Map<Server, Map<EndpointName, number>>()
  #inFlight = 0

  /** `nowMs`: a monotonic clock. */
  constructor(server: Server, nowMs: () => number) {
    this.id = server.id
    this.server = server
    this.#nowMs = nowMs
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get hasRoom(): boolean {
    const { slots } = this.server
    return slots === null || this.#inFlight < slots
  }

  /** Whether there is room for somebody who waits. Takes no longer with more who do. */
  get mayServe(): boolean {
    if (this.queue.size === 0 || !this.hasRoom) return false
    for (const [server, counts] of this.#demand) {
      for (const endpoint of counts.keys()) if (server.isOpen(endpoint)) return true
    }
    return false
  }

  /** Into the queue; to be taken out by `leave`, however it got out. */
  join(call: WaitingCall): Ticket<WaitingCall> {
    this.#count(call.request, 1)
    return this.queue.push(call, turnOf(call.request))
  }

  leave(call: WaitingCall, ticket: Ticket<WaitingCall>): void {
    this.#count(call.request, -1)
    this.queue.remove(ticket)
  }

  /** Whether there is room is the caller's to know. `onReleased` is called once. */
  take({ endpoint }: AdmissionRequest, candidate: Candidate, waitedMs: number, onReleased: () => void): Place {
    const takenMs = this.#nowMs()
    let isHeld = true
    this.#inFlight++
    this.#times.taken(endpoint)
    const release = (isServed = true) => {
      if (!isHeld) return
      isHeld = false
      this.#inFlight--
      this.#times.released(endpoint, isServed ? this.#nowMs() - takenMs : null)
      onReleased()
    }
    return { candidate, waitedMs, release }
  }

  /** Of those who wait now, in milliseconds; 0 where nobody does. Looks at all of them. */
  longestWaitMs(): number {
    const nowMs = this.#nowMs()
    let longest = 0
    for (const { sinceMs } of this.queue) longest = Math.max(longest, nowMs - sinceMs)
    return longest
  }

  /** When the call's turn would have come, or when this server may take requests again; in milliseconds, more or less. */
  retryAfterMs(call: WaitingCall, server: Server): number {
    const { endpoint } = call.request
    if (!call.isTakenBy(this)) return server.pauseLeftMs(endpoint) || unknownPauseMs
    const slots = Math.max(1, this.server.slots ?? 1)
    return Math.max(leastRetryMs, ((call.positionAt(this) + 1) * this.#times.meanMs(endpoint)) / slots)
  }

  #count({ candidates, endpoint }: AdmissionRequest, change: 1 | -1): void {
    for (const { server } of candidates) {
      if (server.id !== this.id) continue
      const counts = this.#demand.get(server) ?? new Map<EndpointName, number>()
      const count = (counts.get(endpoint) ?? 0) + change
      if (count > 0) this.#demand.set(server, counts.set(endpoint, count))
      else if (counts.delete(endpoint) && counts.size === 0) this.#demand.delete(server)
    }
  }
}
