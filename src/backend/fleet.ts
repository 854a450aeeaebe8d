import type { Model, Target } from '../domain/catalog.ts'
import { findPreferred, pickTarget } from '../domain/picker.ts'
import { RetryBudget } from '../domain/retry.ts'
import type { Admission, Candidate, Place, Waiting } from './admission.ts'
import type { Backend } from './backend.ts'
import type { BackendSet } from './backend-sets.ts'
import type { Call } from './call.ts'

export interface FleetOptions {
  readonly admission: Admission
  /** Of one call, whatever budgets allow. */
  readonly maxAttempts: number
}

const noBackends: ReadonlySet<string> = new Set()

/** What a call looks for. */
export interface Seeking {
  readonly model: Model
  /** Backends that are left out. */
  readonly failedOn: ReadonlySet<string>
  /** The longest wait, in milliseconds. */
  readonly waitMs: number
  /** Called in the moment in which there is a place. */
  readonly onChosen: (backend: Backend) => void
}

/** The fleet of each set of backends: requests that began before a reload go on by the one before. */
export class Fleets {
  readonly #options: FleetOptions
  readonly #fleets = new WeakMap<BackendSet, Fleet>()
  readonly #retries = new RetryBudget()

  constructor(options: FleetOptions) {
    this.#options = options
  }

  of(backends: BackendSet): Fleet {
    const known = this.#fleets.get(backends)
    if (known !== undefined) return known
    const fleet = new Fleet(backends, this.#retries, this.#options)
    this.#fleets.set(backends, fleet)
    return fleet
  }
}

/** All backends of a configuration, what they may be given, and how often may be tried again. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #backends: BackendSet
  /** Of the whole gateway. */
  readonly #retries: RetryBudget

  constructor(backends: BackendSet, retries: RetryBudget, options: FleetOptions) {
    this.#backends = backends
    this.#retries = retries
    this.#options = options
  }

  /** Throws where there is none of that name, which a target of the catalog never has. */
  get(name: string): Backend {
    const backend = this.#backends.get(name)
    if (backend === undefined) throw new Error(`no backend ${name}`)
    return backend
  }

  /** A place on a backend of a model, at once or after a wait. */
  admit(call: Call, { model, failedOn, waitMs, onChosen }: Seeking): Place | Waiting {
    const { caller, operation, record } = call
    return this.#options.admission.admit({
      endpoint: operation,
      candidates: this.#candidates(call, model, failedOn),
      account: caller.account,
      tier: caller.tier,
      priority: caller.priority,
      waitMs,
      isRetry: record.attempts > 0,
      choose: free => {
        const chosen = this.#choose(free, call)
        onChosen(this.get(chosen.target.backend))
        return chosen
      },
    })
  }

  /** The target that would get the call now, and its backend; null where none serves it. */
  likely(call: Call): { readonly target: Target; readonly backend: Backend } | null {
    const candidates = this.#candidates(call, call.model, noBackends)
    if (candidates.length === 0) return null
    const { target } = this.#choose(candidates, call)
    return { target, backend: this.get(target.backend) }
  }

  /** Whether a backend is left for the call, though it may have no place now. */
  hasTarget(call: Call, model: Model, failedOn: ReadonlySet<string>): boolean {
    return this.#candidates(call, model, failedOn).some(({ server }) => server.isOpen(call.operation))
  }

  /** Whether it need not be one that has turned calls away itself. */
  hasWillingTarget(call: Call, model: Model, failedOn: ReadonlySet<string>): boolean {
    return this.#candidates(call, model, failedOn).some(({ server }) => this.#isWilling(server))
  }

  get maxAttempts(): number {
    return this.#options.maxAttempts
  }

  /** A call is tried for the first time. */
  deposit(backend: Backend): void {
    this.#retries.deposit()
    backend.retries.deposit()
  }

  /** Whether what has failed on this backend may be tried again; then it has been counted. */
  withdraw(backend: Backend): boolean {
    if (!this.#retries.mayWithdraw || !backend.retries.mayWithdraw) return false
    this.#retries.withdraw()
    backend.retries.withdraw()
    return true
  }

  /**
   * Of an experiment the targets of the call's arm, as long as one of them takes calls; and backends that do not answer their
   * probes or turn calls away are left out, as long as others take calls.
   */
  #candidates(call: Call, model: Model, failedOn: ReadonlySet<string>): readonly Candidate[] {
    const { operation, arm } = call
    const all: Candidate[] = []
    for (const target of model.targets) {
      const server = this.#backends.get(target.backend)
      if (server === undefined || target.weight === 0 || failedOn.has(target.backend)) continue
      if (target.endpoints.has(operation)) all.push({ target, server })
    }
    if (all.length < 2) return all
    const willing = all.filter(({ server }) => this.#isWilling(server))
    const up = willing.some(({ server }) => server.isOpen(operation)) ? willing : all
    if (arm === null || model !== call.model) return up
    return preferring(up, ({ target, server }) => target.arm === arm && server.isOpen(operation))
  }

  #isWilling({ name }: Candidate['server']): boolean {
    return this.get(name).standing.isWilling
  }

  #choose(free: readonly Candidate[], { prefixKey }: Call): Candidate {
    const [only, ...others] = free
    if (only !== undefined && others.length === 0) return only
    const candidates = free.map(candidate => this.#contender(candidate))
    const picked = pickTarget(candidates, Math.random, findPreferred(candidates, prefixKey()))
    if (picked === undefined) throw new Error('none of the candidates takes calls')
    return picked.candidate
  }

  #contender(candidate: Candidate) {
    const { target, server } = candidate
    const { name, id, slots } = server
    const inFlight = this.#options.admission.inFlight(id)
    const { share } = this.get(name).standing
    return { candidate, id: `${name}\0${target.model}`, weight: target.weight, share, inFlight, slots }
  }
}

/** Those of which it holds, or all where it holds of none. */
function preferring<Item>(items: readonly Item[], holds: (item: Item) => boolean): readonly Item[] {
  const preferred = items.filter(holds)
  return preferred.length === 0 ? items : preferred
}
