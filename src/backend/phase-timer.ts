import { Fault, type Phase } from './fault.ts'

export interface AttemptTimeouts {
  readonly firstTokenMs: number
  readonly idleMs: number
  readonly totalMs: number
  /** What is left of the request's own time, 1 at least. Asked again when that is up: somebody with more may have joined it. */
  readonly leftMs: () => number
}

/** How long what is left of an answer, or the body of an error, may take. */
const lastMomentMs = 1000

/**
 * The clock of one attempt: a timer for the phase it is in (first token, then idle between pieces) and one for the whole.
 * `pause` stops the phase while the caller does not read: then it is not the backend that is slow.
 */
export class PhaseTimer {
  readonly #timeouts: AttemptTimeouts
  readonly #onTimeout: (fault: Fault) => void
  readonly #startedAt = performance.now()
  #total: NodeJS.Timeout
  #phase: NodeJS.Timeout | null
  #hasContent = false

  /** `streaming` false: the whole answer comes at once at the end, so only the total counts. */
  constructor(timeouts: AttemptTimeouts, streaming: boolean, onTimeout: (fault: Fault) => void) {
    this.#timeouts = timeouts
    this.#onTimeout = onTimeout
    this.#total = this.#startLast(0)
    this.#phase = streaming ? this.#start('first-token', timeouts.firstTokenMs) : null
  }

  /** The first content is here: from now on the gaps are measured. */
  contentBegan(): void {
    this.#hasContent = true
    this.resume()
  }

  /** A piece has come. Cheap: a timer of Node's is moved, not made. Pieces without content do not put off the first token. */
  touch(): void {
    if (this.#hasContent) this.#phase?.refresh()
  }

  resume(): void {
    if (!this.#hasContent) return
    this.#clearPhase()
    this.#phase = this.#start('idle', this.#timeouts.idleMs)
  }

  /** Before the first content it is the backend that is waited for, whatever the caller does. */
  pause(): void {
    if (this.#hasContent) this.#clearPhase()
  }

  /** Nothing of weight is to come any more: the rest has a moment, whatever it is. */
  lastMoment(): void {
    this.stop()
    this.#hasContent = false
    this.#phase = this.#start('total', lastMomentMs)
  }

  stop(): void {
    this.#clearPhase()
    clearTimeout(this.#total)
  }

  #startLast(passedMs: number): NodeJS.Timeout {
    const { totalMs, leftMs } = this.#timeouts
    const deadlineMs = passedMs + leftMs()
    if (deadlineMs >= totalMs) return setTimeout(() => this.#expire('total', totalMs), totalMs - passedMs)
    return setTimeout(() => this.#deadlinePassed(deadlineMs), deadlineMs - passedMs)
  }

  #deadlinePassed(deadlineMs: number): void {
    if (this.#timeouts.leftMs() > 1) this.#total = this.#startLast(performance.now() - this.#startedAt)
    else this.#expire('deadline', deadlineMs)
  }

  #clearPhase(): void {
    if (this.#phase !== null) clearTimeout(this.#phase)
    this.#phase = null
  }

  #start(phase: Phase, ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(phase, ms), ms)
  }

  #expire(phase: Phase, ms: number): void {
    this.stop()
    this.#onTimeout(new Fault('timeout', `${phase} timeout of ${ms} ms`, { phase }))
  }
}
