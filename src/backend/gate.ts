import { CircuitState, CountBreaker, circuitBreaker, DelegateBackoff, handleAll } from 'cockatiel'
import type { Fault } from './fault.ts'

export type GateState = 'closed' | 'open' | 'half-open'

/** See BreakerSchema. */
export interface GateOptions {
  readonly window: number
  readonly least: number
  readonly failurePercent: number
  readonly pauseMs: number
  readonly maxPauseMs: number
}

/** What one who was let in says of it. Whoever says nothing, such as a caller who left, ends it. */
export interface Pass {
  /** Content has come: that decides a probe, and is no success yet. */
  began(): void
  succeeded(): void
  failed(fault: Fault): void
  ended(): void
}

export interface GateEvents {
  readonly onChange: (state: GateState, reason: string | null) => void
  /** It lets somebody in again, by itself: its pause is over, or what its probe said was not heard. */
  readonly onLetsIn: () => void
}

/**
 * The circuit breaker of one backend's endpoint. cockatiel counts and keeps the state; this gate stands before it, since half
 * open it would let callers queue behind its probe without bound. Here one is let in, and all others are told at once.
 */
export class Gate {
  readonly #policy
  readonly #events: GateEvents
  #pauseMs = 0
  #openedMs = 0
  #lastReason: string | null = null
  /** Until its pause is over. */
  #timer: NodeJS.Timeout | null = null
  /** Of the probe that decides; whoever probes next decides in its stead where one has ended without a word. */
  #decision: PromiseWithResolvers<void> | null = null
  #isProbing = false

  constructor({ window, least, failurePercent, pauseMs, maxPauseMs }: GateOptions, events: GateEvents) {
    this.#events = events
    this.#policy = circuitBreaker(handleAll, {
      breaker: new CountBreaker({
        size: window,
        minimumNumberOfCalls: Math.min(least, window),
        // It wants more than the threshold, and a part of one can be no request.
        threshold: Math.max(0.0001, failurePercent / 100 - 0.5 / window),
      }),
      halfOpenAfter: new DelegateBackoff<unknown, number>((_context, times = 0) => {
        this.#pauseMs = Math.min(maxPauseMs, pauseMs * 2 ** times)
        return { delay: this.#pauseMs, state: times + 1 }
      }),
    })
    this.#policy.onStateChange(state => {
      if (state === CircuitState.Open) {
        this.#openedMs = performance.now()
        this.#tellWhenItLetsIn()
      }
      this.#events.onChange(nameOf(state), state === CircuitState.Open ? this.#lastReason : null)
    })
  }

  get state(): GateState {
    return nameOf(this.#policy.state)
  }

  /** Whether `enter` would let somebody in now. */
  get letsIn(): boolean {
    const { state } = this
    return state === 'closed' || (state === 'open' ? this.pauseLeftMs === 0 : !this.#isProbing)
  }

  /** Until somebody is let in, at the earliest; 0 where that may be now. */
  get pauseLeftMs(): number {
    // A millisecond more, for the policy's clock is another one.
    return this.state === 'open' ? Math.max(0, this.#openedMs + this.#pauseMs + 1 - performance.now()) : 0
  }

  /** To be called where `letsIn`. */
  enter(): Pass {
    return this.state === 'closed' ? this.#passClosed() : this.#passProbe()
  }

  #passClosed(): Pass {
    let isOver = false
    const end = (fault: Fault | null) => {
      if (!isOver) this.#count(fault)
      isOver = true
    }
    return {
      began: () => undefined,
      succeeded: () => end(null),
      failed: fault => end(fault),
      ended: () => {
        isOver = true
      },
    }
  }

  #passProbe(): Pass {
    this.#isProbing = true
    this.#decision ??= this.#askForDecision()
    const { resolve, reject } = this.#decision
    /** What it says of a stream that has begun counts as that of any other. */
    let later: Pass | null = null
    const decide = (fault: Fault | null): boolean => {
      if (later !== null) return false
      later = this.#passClosed()
      if (fault === null) resolve()
      else reject(fault)
      return true
    }
    return {
      began: () => void decide(null),
      succeeded: () => void (decide(null) || later?.succeeded()),
      failed: fault => {
        this.#lastReason = fault.message
        if (!decide(fault)) later?.failed(fault)
      },
      ended: () => {
        if (later === null) this.#isProbing = false
        else later.ended()
      },
    }
  }

  /** As long as the policy has not acted on it nobody else is let in: the place of a probe that failed is free before that. */
  #askForDecision(): PromiseWithResolvers<void> {
    const decision = Promise.withResolvers<void>()
    // Where the policy, by its own clock, is not to be asked yet nobody listens to it.
    decision.promise.catch(() => undefined)
    this.#policy
      .execute(() => decision.promise)
      // The state says it already.
      .catch(() => undefined)
      .finally(() => {
        this.#isProbing = false
        this.#decision = null
        this.#tellWhenItLetsIn()
      })
    return decision
  }

  /** A timer drops fractions and may fire early by its own clock, so what counts is whether it lets in. */
  #tellWhenItLetsIn(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.state !== 'open') return
    if (this.letsIn) this.#events.onLetsIn()
    else this.#timer = setTimeout(() => this.#tellWhenItLetsIn(), Math.ceil(this.pauseLeftMs)).unref()
  }

  /** Where it has opened in the meantime, what began before says nothing new. */
  #count(fault: Fault | null): void {
    if (this.state !== 'closed') return
    if (fault !== null) this.#lastReason = fault.message
    this.#policy
      .execute(() => {
        if (fault !== null) throw fault
      })
      .catch(() => undefined)
  }
}

function nameOf(state: CircuitState): GateState {
  switch (state) {
    case CircuitState.Closed:
      return 'closed'
    case CircuitState.HalfOpen:
      return 'half-open'
    case CircuitState.Open:
    case CircuitState.Isolated:
      return 'open'
  }
}
