import type { LimitSet } from '../domain/limit.ts'
import type { Reservation } from '../domain/reservation.ts'
import type { RedisLimits } from '../store/limits.ts'
import type { Backlog } from './backlog.ts'
import type { Breaker } from './breaker.ts'
import type { KnownStates } from './known-states.ts'
import type { Hold } from './limiter.ts'
import type { LocalLimits } from './local-limits.ts'

/** Where holds are kept, and what has to be told of them. */
export interface HoldKeepers {
  readonly store: RedisLimits
  readonly local: LocalLimits
  readonly backlog: Backlog
  readonly breaker: Breaker
  readonly known: KnownStates
  /** False where it has ended before. */
  readonly end: (hold: SharedHold) => boolean
}

/** What is held for one request. One that began in this replica's part alone moves to the shared store when that is back. */
export class SharedHold implements Hold {
  readonly startedMs = performance.now()
  readonly #keepers: HoldKeepers
  readonly #wholeSet: LimitSet
  #reservation: Reservation
  #place: 'shared' | 'local'
  /** What of the amounts time had refilled when it moved: that is used and settled already. */
  #drained: readonly number[] = []
  /** Holds it in the shared store, where that has not been done yet. */
  #adopt: (() => Promise<void>) | null = null

  constructor(keepers: HoldKeepers, reservation: Reservation, at: { place: 'shared' | 'local'; wholeSet: LimitSet }) {
    this.#keepers = keepers
    this.#reservation = reservation
    this.#place = at.place
    this.#wholeSet = at.wholeSet
  }

  get reservation(): Reservation {
    return this.#reservation
  }

  get place(): 'shared' | 'local' {
    return this.#place
  }

  settle(total: readonly number[]): void {
    const { end, local, known, store, backlog, breaker } = this.#keepers
    if (!end(this)) return
    const reservation = this.#reservation
    if (this.#place === 'local') {
      local.settle(reservation, total)
      return
    }
    const used = total.map((amount, index) => Math.max(0, amount - (this.#drained[index] ?? 0)))
    known.forgetDenial(this.#wholeSet, reservation.held, used)
    const message = async () => {
      await this.#adopt?.()
      await store.settle(reservation, used)
    }
    if (breaker.isOpen) backlog.keep(message)
    else backlog.send(message)
  }

  /** From the local part to the shared store. Where that fails it is tried again when it is renewed or settled. */
  move(): void {
    const { local, store } = this.#keepers
    const before = this.#reservation
    const held = local.release(before)
    this.#drained = before.held.map((amount, index) => Math.max(0, amount - (held[index] ?? 0)))
    this.#place = 'shared'
    // Another id: the first may have reached Redis after all, and is given back there when that is known.
    const id = `${before.id}-moved`
    this.#reservation = { ...before, id, set: this.#wholeSet, held }
    this.#adopt = async () => {
      await store.adopt(id, this.#wholeSet, held)
      this.#adopt = null
    }
    this.finishMove()
  }

  finishMove(): void {
    this.#adopt?.().catch(error => this.#keepers.breaker.failed(error))
  }
}
