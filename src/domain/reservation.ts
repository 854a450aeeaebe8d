/**
 * Reserve before the work, settle after it. This is what every store of counts can do; there is one in Redis and one in
 * the process, and they answer alike.
 */
import type { LimitSet } from './limit.ts'

/** What a store says of one limit. */
export interface LimitState {
  /** Requests, tokens or nano-USD, rounded up; with this request where it was admitted. */
  readonly used: number
  /**
   * Microseconds until this limit alone would admit the request; 0 where it does now. Infinity where no time helps: a place
   * in flight is freed by whoever has it, and what is larger than the limit never fits.
   */
  readonly waitUs: number
}

/** Null where nobody can say how much was used: that is not 0. */
export type KnownState = LimitState | null

/** Held until it is settled. Keeps what the store needs to find it again. */
export interface Reservation {
  readonly id: string
  readonly set: LimitSet
  /** What was held of each limit, in the order of `set.limits`. */
  readonly held: readonly number[]
  /** The store's clock when it was made, in microseconds since 1970: calendar counts stay in the period they began in. */
  readonly atUs: number
}

export type Verdict =
  | {
      readonly kind: 'admitted'
      readonly reservation: Reservation
      readonly states: readonly LimitState[]
      readonly atUs: number
    }
  /** Nothing was changed: a request is admitted by all of its limits or by none. */
  | { readonly kind: 'denied'; readonly states: readonly LimitState[]; readonly atUs: number }

/** Nothing was changed, since how much of a day or month was used is not known: to be asked again when it has been seeded. */
export interface Unseeded {
  readonly kind: 'unseeded'
  readonly atUs: number
}

/** A value where the store is in the process, a promise where it is not; rejects when it cannot say. */
type Answer<Value> = Value | Promise<Value>

export interface LimitStore {
  /** Takes `amounts` (in the order of `set.limits`) of all limits, or of none. `id` is used once. */
  reserve(id: string, set: LimitSet, amounts: readonly number[]): Answer<Verdict | Unseeded>
  /**
   * Puts what was really used in the place of what was held, and gives back the place in flight. What a rate has refilled
   * since is not given back a second time. Once: a repetition changes nothing.
   */
  settle(reservation: Reservation, used: readonly number[]): Answer<void>
  /**
   * Says that these still run: their places in flight are kept for another lease. What the store does not know of any more
   * is held again, but of rates.
   */
  renew(reservations: readonly Reservation[]): Answer<void>
  /**
   * Adds what was used without having been reserved here; nothing is refused. Once for each id; without one nothing is
   * remembered of it. Not to days and months that have not been seeded: their seed has it.
   */
  charge(id: string | null, set: LimitSet, amounts: readonly number[]): Answer<void>
  /** What has been used so far; null where that is not known before a day or month has been seeded. */
  look(set: LimitSet): Answer<readonly LimitState[] | null>
  /**
   * What was used (in the order of `set.limits`) of the days and months that `atUs` is in, without what this store has
   * counted. Where that was known already, or they are over, it changes nothing.
   */
  seed(set: LimitSet, used: readonly number[], atUs: number): Answer<void>
}

/** How long a place in flight outlives a process that died with it. */
export const leaseMs = 15_000
