import type { Model } from '../domain/catalog.ts'
import { backoffMs, type FailedKind, mayTryAgain } from '../domain/retry.ts'
import type { Backend } from './backend.ts'
import type { Call } from './call.ts'
import type { Course } from './course.ts'
import type { Engine } from './engine.ts'
import type { Fault } from './fault.ts'
import { failedKindOf } from './fault-class.ts'
import type { Fleet } from './fleet.ts'
import type { Pass } from './gate.ts'

/** For a backend that wants to be left alone for longer nobody waits here: the caller is told when to come again. */
const maxSleptMs = 5000
/** Told where another backend would have been left, had it been tried again. */
const elsewhereMs = 1000

/**
 * The course of a caller's call: breakers and retry budgets learn of it, and where it has failed it goes to other backends of the
 * model first, then to the model's fallback, or else to the same backends again.
 */
export class Failover implements Course {
  readonly #call: Call
  readonly #fleet: Fleet
  readonly #failedOn = new Set<string>()
  /** Until when each wants to be left alone, by the monotonic clock. */
  readonly #notBeforeMs = new Map<string, number>()
  /** Those that are left. */
  readonly #fallbacks: Model[]
  #model: Model
  /** What was to be told when the model before this one was left. */
  #leftWith: Fault | null = null
  #hasBegun = false

  constructor(call: Call, fleet: Fleet) {
    this.#call = call
    this.#fleet = fleet
    this.#model = call.model
    this.#fallbacks = [...call.fallbacks]
  }

  get model(): Model {
    return this.#model
  }

  get failedOn(): ReadonlySet<string> {
    return this.#failedOn
  }

  enter(backend: Backend): Pass {
    return backend.gate(this.#call.operation).enter()
  }

  began(backend: Backend): void {
    if (!this.#hasBegun) this.#fleet.deposit(backend)
    this.#hasBegun = true
  }

  /** 0 where another backend is left, of this model or of a fallback. */
  afterFailure(fault: Fault, backend: Backend, engine: Engine | null): number | Fault {
    const { record, caller } = this.#call
    if (fault.kind === 'busy') backend.turnedAway(fault.details.retryAfterMs)
    const kind = failedKindOf(fault)
    // Where nobody knows what it is, nothing was.
    const wasSent = engine !== null
    const stopsWithClient = engine?.stopsWithClient ?? true
    if (caller.deadlineMs <= performance.now() || !mayTryAgain({ kind, stopsWithClient })) return fault
    this.#failedOn.add(backend.name)
    this.#notBeforeMs.set(backend.name, performance.now() + (fault.details.retryAfterMs ?? 0))
    const isLeft = this.#fleet.hasTarget(this.#call, this.#model, this.#failedOn)
    // A question to the backend loads nobody.
    const isFree = !wasSent || (isLeft && this.#isFirstElsewhere(kind))
    const leastMs = this.#leastLeftMs()
    const isWanted = isLeft || (this.#fallbacks.length === 0 && leastMs <= maxSleptMs)
    if (isWanted && record.attempts < this.#fleet.maxAttempts && (isFree || this.#fleet.withdraw(backend))) {
      if (isLeft) return 0
      const waitMs = backoffMs(record.attempts - 1, Math.random(), leastMs)
      this.#letBackIn(performance.now() + waitMs)
      return waitMs
    }
    const againMs = Math.max(1, isLeft ? Math.min(elsewhereMs, leastMs) : leastMs)
    const told = fault.kind === 'busy' ? fault.withRetryAfter(againMs) : fault
    return this.#fallBack(told) ? 0 : told
  }

  /** A fallback that has no place for it changes nothing in what the model before it has said. */
  afterRefusal(refusal: Fault): Fault | null {
    // While it waited, those that seem to be up have closed; one that does not may take it all the same.
    const hasLostHope = refusal.details.refusal === 'no-backend'
    if (hasLostHope && this.#fleet.hasTarget(this.#call, this.#model, this.#failedOn)) return null
    const told = this.#leftWith ?? refusal
    return this.#fallBack(told) ? null : told
  }

  /** Nobody has worked on it yet: where another backend is not known to be as busy, it is still the first try there. */
  #isFirstElsewhere(kind: FailedKind): boolean {
    if (kind === 'turned-away') return this.#fleet.hasWillingTarget(this.#call, this.#model, this.#failedOn)
    return kind === 'unsent'
  }

  #fallBack(told: Fault): boolean {
    const next = this.#fallbacks.shift()
    if (next === undefined) return false
    this.#leftWith = told
    this.#model = next
    this.#failedOn.clear()
    return true
  }

  /** Until the first of those that have failed may be asked again, in milliseconds. */
  #leastLeftMs(): number {
    const nowMs = performance.now()
    return Math.max(0, Math.min(...Array.from(this.#failedOn, name => (this.#notBeforeMs.get(name) ?? 0) - nowMs)))
  }

  /** Each by its own time. */
  #letBackIn(nowMs: number): void {
    for (const name of this.#failedOn) if ((this.#notBeforeMs.get(name) ?? 0) <= nowMs) this.#failedOn.delete(name)
  }
}
