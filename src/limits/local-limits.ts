import type { LimitSet } from '../domain/limit.ts'
import { type Place, shareLimits, shareOf } from '../domain/limit-share.ts'
import type { KnownState, Reservation, Unseeded, Verdict } from '../domain/reservation.ts'
import { MemoryLimits } from '../embedded/limits.ts'
import type { KnownStates } from './known-states.ts'

/** What one caller used here and the shared store does not know of. */
export interface LocalUse {
  readonly set: LimitSet
  /** In the order of `set.limits`, as much of it as time has not refilled; what still runs with what is held for it. */
  readonly amounts: readonly number[]
}

/**
 * This replica's part of the limits while the store that all replicas share is away. A caller's part begins with its part of
 * what was used when the store was last heard of.
 */
export class LocalLimits {
  readonly #known: KnownStates
  readonly #nowUs: () => number
  #store: MemoryLimits
  /** Whole sets by their parts, and the parts by the wholes. */
  readonly #touched = new Set<string>()
  #parts = new Map<string, { readonly whole: LimitSet; readonly part: LimitSet; readonly place: Place }>()

  constructor(known: KnownStates, nowUs: () => number) {
    this.#known = known
    this.#nowUs = nowUs
    this.#store = new MemoryLimits({ nowUs })
  }

  /** The set that counts here, for what is told of the states. */
  partOf(set: LimitSet, place: Place, nowMs: number): LimitSet {
    const known = this.#parts.get(set.fingerprint)
    if (known?.place === place) return known.part
    const part = shareLimits(set, place)
    this.#parts.set(set.fingerprint, { whole: set, part, place })
    const used = this.#known.usedNow(set, nowMs)
    if (used !== null) this.seed(part, { used, place, atUs: this.#nowUs() })
    return part
  }

  /** Begins with this replica's share of what was used of the whole set. */
  seed(
    part: LimitSet,
    before: { readonly used: readonly number[]; readonly place: Place; readonly atUs: number },
  ): void {
    const { used, place, atUs } = before
    const shares = used.map(amount => shareOf(amount, place))
    this.#store.seed(part, shares, atUs)
  }

  reserve(id: string, part: LimitSet, amounts: readonly number[]): Verdict | Unseeded {
    this.#touched.add(part.fingerprint)
    return this.#store.reserve(id, part, amounts)
  }

  /** Holds what runs already, whether it fits or not. */
  adopt(id: string, part: LimitSet, amounts: readonly number[]): Reservation {
    this.#touched.add(part.fingerprint)
    return this.#store.adopt(id, part, amounts)
  }

  settle(reservation: Reservation, used: readonly number[]): void {
    this.#store.settle(reservation, used)
  }

  /** Ends what is held; returns how much of each limit it still took. */
  release(reservation: Reservation): readonly number[] {
    return this.#store.release(reservation)
  }

  renew(reservations: readonly Reservation[]): void {
    this.#store.renew(reservations)
  }

  /** What is not known of a day or month is null. */
  look(part: LimitSet): readonly KnownState[] {
    return this.#store.lookKnown(part)
  }

  /** Callers who have asked for something here since that was last taken. */
  get touched(): number {
    return this.#touched.size
  }

  /** Hands over what so many callers at the most used here, so that it can be charged; here it still counts. */
  takeUse(most: number): readonly LocalUse[] {
    const uses: LocalUse[] = []
    for (const fingerprint of this.#touched) {
      if (uses.length >= most) break
      this.#touched.delete(fingerprint)
      const { whole, part } = this.#parts.get(fingerprint) ?? {}
      if (whole !== undefined && part !== undefined) uses.push({ set: whole, amounts: this.#store.takeOwn(part) })
    }
    return uses
  }

  /** Begins anew, with what is known of the store that all share. */
  forget(): void {
    this.#store = new MemoryLimits({ nowUs: this.#nowUs })
    this.#parts = new Map()
    this.#touched.clear()
  }
}
