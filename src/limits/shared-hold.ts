import type { LimitSet } from '../domain/limit.ts'
import type { Reservation, Unseeded, Verdict } from '../domain/reservation.ts'
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
  /** Holds it in this replica's part, whether it fits there or not. */
  readonly holdLocally: (reservation: Reservation) => Reservation
  /** What was promised is over, whether it has been made or not. */
  readonly endPromise: (reservation: Reservation, used: readonly number[]) => void
}

/** In the shared store; in this replica's part; or in the shared store as soon as that answers. */
export type HoldPlace = 'shared' | 'local' | 'promised'

/** What is held for one request. One that began in this replica's part alone moves to the shared store when that is back. */
export class SharedHold implements Hold {
  readonly startedMs = performance.now()
  readonly #keepers: HoldKeepers
  readonly #wholeSet: LimitSet
  #reservation: Reservation
  #place: HoldPlace
  /** What was used of what is only promised yet; null while it runs. */
  #usedOfPromise: readonly number[] | null = null
  /** What of the amounts time had refilled when it moved: that is used and settled already. */
  #drained: readonly number[] = []
  /** Holds it in the shared store, where that has not been done yet. */
  #adopt: (() => Promise<void>) | null = null

  constructor(keepers: HoldKeepers, reservation: Reservation, at: { place: HoldPlace; wholeSet: LimitSet }) {
    this.#keepers = keepers
    this.#reservation = reservation
    this.#place = at.place
    this.#wholeSet = at.wholeSet
  }

  get reservation(): Reservation {
    return this.#reservation
  }

  get place(): HoldPlace {
    return this.#place
  }

  settle(total: readonly number[]): void {
    const { end, local, endPromise } = this.#keepers
    if (!end(this)) return
    if (this.#place === 'shared') this.#settleShared(total)
    else if (this.#place === 'local') local.settle(this.#reservation, total)
    else {
      this.#usedOfPromise = total
      endPromise(this.#reservation, total)
    }
  }

  /** The shared store has answered. Where it has denied what was promised, that counts there all the same. */
  keep(verdict: Verdict | Unseeded): void {
    this.#place = 'shared'
    if (verdict.kind === 'admitted') this.#reservation = verdict.reservation
    else this.#adoptAs(`${this.#reservation.id}-kept`, this.#reservation.held)
    if (this.#usedOfPromise !== null) this.#settleShared(this.#usedOfPromise)
  }

  /** The shared store will not answer. */
  fallBack(): void {
    const { local, holdLocally } = this.#keepers
    this.#place = 'local'
    this.#reservation = holdLocally(this.#reservation)
    if (this.#usedOfPromise !== null) local.settle(this.#reservation, this.#usedOfPromise)
  }

  /** From the local part to the shared store. Where that fails it is tried again when it is renewed or settled. */
  move(): void {
    const before = this.#reservation
    const held = this.#keepers.local.release(before)
    this.#drained = before.held.map((amount, index) => Math.max(0, amount - (held[index] ?? 0)))
    this.#place = 'shared'
    // Another id: the first may have reached Redis after all, and is given back there when that is known.
    this.#adoptAs(`${before.id}-moved`, held)
  }

  finishMove(): void {
    this.#adopt?.().catch(error => this.#keepers.breaker.failed(error))
  }

  #adoptAs(id: string, held: readonly number[]): void {
    this.#reservation = { ...this.#reservation, id, set: this.#wholeSet, held }
    this.#adopt = async () => {
      await this.#keepers.store.adopt(id, this.#wholeSet, held)
      this.#adopt = null
    }
    this.finishMove()
  }

  #settleShared(total: readonly number[]): void {
    const { known, store, backlog, breaker } = this.#keepers
    const reservation = this.#reservation
    const used = total.map((amount, index) => Math.max(0, amount - (this.#drained[index] ?? 0)))
    known.forgetDenial(this.#wholeSet, reservation.held, used)
    const message = async () => {
      await this.#adopt?.()
      await store.settle(reservation, used)
    }
    if (breaker.isOpen) backlog.keep(message)
    else backlog.send(message)
  }
}
