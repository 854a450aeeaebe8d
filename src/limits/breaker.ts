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

  /**
   * What is wrong with the counts of one account is not wrong with Redis, and must not send all others away from it. Errors
   * of a client name the command: only the message is passed on.
   */
  failed(error: unknown): void {
    if (isOfOneAccount(error)) return
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

/** What Redis says where its user may not do what a script does. */
const forbidden = /ACL failure|user executing the script/

/** The script failed at what it has read: another type of key, or another format. Who may not do something may not for all. */
export function isOfOneAccount(error: unknown): error is Error {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return false
  const { message } = error
  return message.startsWith('WRONGTYPE') || (/^ERR .*script/.test(message) && !forbidden.test(message))
}
