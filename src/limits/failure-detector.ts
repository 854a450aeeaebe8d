/** How often it looks whether anything has been heard. */
const tickMs = 5
/** So many ticks (40 ms) of silence towards those who wait, and Redis is suspected; so many (200 ms), and it is lost. */
const suspectTicks = 8
const lostTicks = 40

export interface FailureDetectorEvents {
  /** Nobody waits any longer who need not. */
  readonly onSuspect: () => void
  /** It was suspected, and answers, or has nothing to answer any more. */
  readonly onTrust: () => void
  readonly onLost: () => void
}

/**
 * Tells by its silence whether Redis may be away. Silence is counted in ticks of this process and not by the clock: while it
 * was held up itself it could not have heard anything, and a Redis on the same machine may have been held up as well.
 */
export class FailureDetector {
  readonly #events: FailureDetectorEvents
  #unanswered = 0
  #silentTicks = 0
  #hasHeard = false
  #timer: NodeJS.Timeout | null = null

  constructor(events: FailureDetectorEvents) {
    this.#events = events
  }

  get isSuspected(): boolean {
    return this.#silentTicks >= suspectTicks
  }

  /** Something was sent; `answered` or `failed` will be told of it. */
  sent(): void {
    this.#unanswered++
    this.#timer ??= setInterval(() => {
      // What has come in the meantime is read before this.
      setImmediate(() => this.#look())
    }, tickMs).unref()
  }

  answered(): void {
    this.#unanswered--
    this.#hasHeard = true
    this.#endSilence()
  }

  /** Without an answer. */
  failed(): void {
    this.#unanswered--
  }

  /** It has answered others. */
  trust(): void {
    this.#endSilence()
  }

  #look(): void {
    if (this.#unanswered === 0) this.#rest()
    else if (!this.#hasHeard) this.#countTick()
    this.#hasHeard = false
  }

  #countTick(): void {
    this.#silentTicks++
    if (this.#silentTicks === suspectTicks) this.#events.onSuspect()
    if (this.#silentTicks === lostTicks) this.#events.onLost()
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#endSilence()
  }

  #endSilence(): void {
    const wasSuspected = this.isSuspected
    this.#silentTicks = 0
    if (wasSuspected) this.#events.onTrust()
  }
}

export const lostMs = lostTicks * tickMs
