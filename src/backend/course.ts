import type { Model } from '../domain/catalog.ts'
import type { Backend } from './backend.ts'
import type { Engine } from './engine.ts'
import type { Fault } from './fault.ts'
import type { Pass } from './gate.ts'

/** What one call means to others, and where it goes when it has failed. */
export interface Course {
  /** Which one is asked now. */
  readonly model: Model
  /** Backends that are left out of the next try. */
  readonly failedOn: ReadonlySet<string>
  /** There is a place on this backend: what is told to the pass counts for its breaker. */
  enter(backend: Backend): Pass
  /** It is sent to this backend: told of each try. */
  began(backend: Backend): void
  /**
   * A try has failed before any content came: until the next one, in milliseconds, or, where there is none, what is told of
   * it. `engine` is null where nobody knows what the backend is.
   */
  afterFailure(fault: Fault, backend: Backend, engine: Engine | null): number | Fault
  /** No backend of the model takes it: null where another model is asked from now on, or else what is told of it. */
  afterRefusal(refusal: Fault): Fault | null
}
