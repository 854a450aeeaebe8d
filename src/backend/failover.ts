import type { Model } from '../domain/catalog.ts'
import { backoffMs, mayTryAgain } from '../domain/retry.ts'
import type { Backend } from './backend.ts'
import type { Call } from './call.ts'
import type { Engine } from './engine.ts'
import type { Fault } from './fault.ts'
import { failedKindOf } from './fault-class.ts'
import type { Fleet } from './fleet.ts'

/** Where a call that has failed goes next: other backends first, then the same ones again, then another model. */
export class Failover {
  readonly #call: Call
  readonly #fleet: Fleet
  readonly #failedOn = new Set<string>()
  #model: Model

  constructor(call: Call, fleet: Fleet) {
    this.#call = call
    this.#fleet = fleet
    this.#model = call.model
  }

  get model(): Model {
    return this.#model
  }

  /** Backends that are left out of the next try. */
  get failedOn(): ReadonlySet<string> {
    return this.#failedOn
  }

  /** Whether a call that failed before any content came may be tried again; then the retry has been counted. */
  mayTryAgain(fault: Fault, backend: Backend, engine: Engine | null): boolean {
    const { record, caller } = this.#call
    if (record.attempts >= this.#fleet.maxAttempts || caller.deadlineMs <= performance.now()) return false
    // Where nobody knows what it is, nothing was sent.
    const stopsWithClient = engine?.stopsWithClient ?? true
    return mayTryAgain({ kind: failedKindOf(fault), stopsWithClient }) && this.#fleet.withdraw(backend)
  }

  /** Until the next try, in milliseconds; 0 where another backend is left. */
  waitMsBeforeNext(fault: Fault, backend: Backend): number {
    this.#failedOn.add(backend.name)
    if (this.#fleet.hasTarget(this.#call, this.#model, this.#failedOn)) return 0
    this.#failedOn.clear()
    return backoffMs(this.#call.record.attempts - 1, Math.random(), fault.details.retryAfterMs ?? 0)
  }

  /** Another model answers from now on, where one is configured. */
  fallBack(): boolean {
    const fallback = this.#model === this.#call.model ? this.#fleet.fallbackOf(this.#model) : null
    if (fallback === null) return false
    this.#model = fallback
    this.#failedOn.clear()
    return true
  }
}
