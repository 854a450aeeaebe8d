import type { LimitSet } from '../domain/limit.ts'
import type { Reservation } from '../domain/reservation.ts'
import { Renewals } from './renewals.ts'
import { type HoldKeepers, type HoldPlace, SharedHold } from './shared-hold.ts'

/** All that is held by this replica, wherever it is. */
export class SharedHolds {
  readonly #keepers: HoldKeepers
  readonly #renewals = new Renewals<SharedHold>(holds => this.#renew(holds))

  constructor(keepers: Omit<HoldKeepers, 'end'>) {
    this.#keepers = { ...keepers, end: hold => this.#renewals.delete(hold) }
  }

  get open(): Iterable<SharedHold> {
    return this.#renewals.open
  }

  hold(reservation: Reservation, wholeSet: LimitSet, place: HoldPlace): SharedHold {
    const hold = new SharedHold(this.#keepers, reservation, { place, wholeSet })
    this.#renewals.add(hold)
    return hold
  }

  /** Tells the shared store of all that it is to know of. Rejects where that fails. */
  async tell(): Promise<void> {
    await this.#keepers.store.renew(reservationsAt('shared', [...this.#renewals.open]))
  }

  stop(): void {
    this.#renewals.stop()
  }

  #renew(holds: readonly SharedHold[]): void {
    const { local, store, breaker } = this.#keepers
    local.renew(reservationsAt('local', holds))
    if (breaker.isOpen) return
    for (const hold of holds) hold.finishMove()
    store.renew(reservationsAt('shared', holds)).catch(error => breaker.failed(error))
  }
}

const reservationsAt = (place: HoldPlace, holds: readonly SharedHold[]): readonly Reservation[] =>
  holds.filter(hold => hold.place === place).map(({ reservation }) => reservation)
