import type { Ticket, Turn } from '../domain/fair-queue.ts'
import type { AdmissionRequest, Place, Waiting } from './admission.ts'
import type { Bulkhead } from './bulkhead.ts'
import { Fault } from './fault.ts'

/** What a timer of Node's can take: with more it would fire at once. */
const maxTimerMs = 2 ** 31 - 1
/** To count further costs time with each call that comes, and makes no difference to anybody. */
const mostCounted = 1000

/** A call in the queues of all backends that it may run on. Ends once: with a place, with a fault, or cancelled. */
export class WaitingCall implements Waiting {
  readonly request: AdmissionRequest
  /** On the clock of its admission. */
  readonly sinceMs: number
  readonly place: Promise<Place>
  readonly #outcome = Promise.withResolvers<Place>()
  readonly #tickets = new Map<Bulkhead, Ticket<WaitingCall>>()
  #onLeave: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  constructor(request: AdmissionRequest, sinceMs: number) {
    this.request = request
    this.sinceMs = sinceMs
    this.place = this.#outcome.promise
    // Whoever cancels need not listen; who does is told all the same.
    this.place.catch(() => undefined)
  }

  get position(): number {
    let least: number | null = null
    for (const [{ queue }, ticket] of this.#tickets) least = queue.positionOf(ticket, least ?? mostCounted) ?? least
    return least ?? 0
  }

  /** How many are before it at this backend, or would be if it came now. */
  positionAt(bulkhead: Bulkhead): number {
    const ticket = this.#tickets.get(bulkhead)
    return (ticket === undefined ? null : bulkhead.queue.positionOf(ticket)) ?? bulkhead.queue.size
  }

  /** Whether this backend takes its request now, slots aside. */
  isTakenBy({ id }: Bulkhead): boolean {
    const { candidates, endpoint } = this.request
    return candidates.some(({ server }) => server.id === id && server.isOpen(endpoint))
  }

  /** Whether one of its candidates takes its request now. */
  get hasHope(): boolean {
    const { candidates, endpoint } = this.request
    return candidates.some(({ server }) => server.isOpen(endpoint))
  }

  /** Whether it is known how the wait ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Into the queue, once. */
  join(bulkhead: Bulkhead): void {
    if (!this.#tickets.has(bulkhead)) this.#tickets.set(bulkhead, bulkhead.join(this))
  }

  /** `onLeave` is called once, when it no longer waits. */
  begin({ onLate, onLeave }: { readonly onLate: () => void; readonly onLeave: () => void }): void {
    this.#timer = setTimeout(onLate, Math.min(this.request.waitMs, maxTimerMs))
    this.#onLeave = onLeave
  }

  /** Out of all queues. */
  leave(): void {
    for (const [bulkhead, ticket] of this.#tickets) bulkhead.leave(this, ticket)
    this.#tickets.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#onLeave?.()
    this.#onLeave = null
  }

  admit(place: Place): void {
    this.#isOver = true
    this.#outcome.resolve(place)
  }

  /** Without effect once it is over. */
  end(error: unknown): void {
    this.#isOver = true
    this.leave()
    this.#outcome.reject(error)
  }

  cancel(): void {
    this.end(new Fault('client-gone', 'the call no longer waits for a place'))
  }
}

export const turnOf = ({ account, priority, isRetry }: AdmissionRequest): Turn => ({
  account,
  priority,
  isAhead: isRetry,
})
