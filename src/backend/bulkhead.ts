import { FairQueue } from '../domain/fair-queue.ts'
import type { Candidate, Place, Server } from './admission.ts'
import type { WaitingCall } from './waiting-call.ts'

/** What the last place counts for in the mean time that one is held. */
const lastWeight = 0.2
/** Before any was given back: nobody knows. */
const assumedHeldMs = 1000
const leastRetryMs = 250
const unknownPauseMs = 1000

/** What is held on one backend, and who waits for it. */
export class Bulkhead {
  readonly queue = new FairQueue<WaitingCall>()
  /** As it was named last: a reload may put another in its place. */
  server: Server
  readonly #nowMs: () => number
  #inFlight = 0
  /** An exponentially weighted moving average. */
  #heldMs: number | null = null

  /** `nowMs`: a monotonic clock. */
  constructor(server: Server, nowMs: () => number) {
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

  /** Whether there is room is the caller's to know. `onReleased` is called once. */
  take(candidate: Candidate, waitedMs: number, onReleased: () => void): Place {
    const takenMs = this.#nowMs()
    let isHeld = true
    this.#inFlight++
    const release = () => {
      if (!isHeld) return
      isHeld = false
      this.#inFlight--
      this.#noteHeld(this.#nowMs() - takenMs)
      onReleased()
    }
    return { candidate, waitedMs, release }
  }

  /** When the call's turn would have come, or when the backend may take requests again; in milliseconds, more or less. */
  retryAfterMs(call: WaitingCall): number {
    if (!call.isTakenBy(this)) return this.server.pauseLeftMs(call.request.endpoint) || unknownPauseMs
    const slots = Math.max(1, this.server.slots ?? 1)
    const ms = ((call.positionAt(this) + 1) * (this.#heldMs ?? assumedHeldMs)) / slots
    return Math.max(leastRetryMs, ms)
  }

  /** Whatever came of it: that is how fast the queue moves. */
  #noteHeld(ms: number): void {
    this.#heldMs = this.#heldMs === null ? ms : this.#heldMs + lastWeight * (ms - this.#heldMs)
  }
}
