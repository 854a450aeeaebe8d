/** So many failures one after the other, and nobody waits for the shared store any more until it has answered a probe. */
const maxFailures = 3

export interface BreakerEvents {
  readonly onOpen: (reason: string) => void
  readonly onClose: () => void
}

export class Breaker {
  readonly #events: BreakerEvents
  #failures = 0
  #state: 'closed' | 'open'

  /** Begins open: what has never answered is not waited for. */
  constructor(events: BreakerEvents) {
    this.#events = events
    this.#state = 'open'
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** Errors of a client name the command: only the message is passed on. */
  failed(error: unknown): void {
    this.#failures++
    if (this.#failures >= maxFailures) this.open(error instanceof Error ? error.message : String(error))
  }

  open(reason: string): void {
    if (this.#state === 'open') return
    this.#state = 'open'
    this.#events.onOpen(reason)
  }

  /** A probe was answered. */
  close(): void {
    this.#failures = 0
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#events.onClose()
  }
}
