/**
 * The store of counts in the process: where there is no Redis, and while it is away. It takes the steps of
 * src/store/limit-scripts, so that both answer alike.
 */
import { rememberByPeriod } from '../domain/count-keys.ts'
import type { LimitSet } from '../domain/limit.ts'
import {
  type KnownState,
  type LimitState,
  type LimitStore,
  leaseMs,
  type Reservation,
  type Unseeded,
  type Verdict,
} from '../domain/reservation.ts'
import {
  type Count,
  emptyCount,
  isIdle,
  isUnseeded,
  measure,
  occupy,
  seedWith,
  setClockBack,
  settleIn,
  takeFrom,
  takeOwnOf,
} from './limit-counts.ts'

/** As long as a record lives in Redis: of a reservation that nobody renews, and of a charge. */
const heldUs = 3_600_000_000
const chargedUs = 600_000_000
const minChangesBetweenSweeps = 1000

interface Hold {
  readonly reservation: Reservation
  /** In the order of the set's limits: what a rate knows it by, and what is held. */
  readonly seqs: readonly number[]
  readonly held: readonly number[]
  untilUs: number
}

/**
 * What is empty, over or given up is forgotten in a sweep every so many changes, so its size is that of the callers of the
 * last period and of the requests under way.
 */
export class MemoryLimits implements LimitStore {
  readonly #nowUs: () => number
  readonly #leaseUs: number
  readonly #counts = new Map<string, Count>()
  readonly #holds = new Map<string, Hold>()
  /** By the id of the charge: until when it is remembered. */
  readonly #charged = new Map<string, number>()
  readonly #planAt = rememberByPeriod(keys => keys)
  #changesUntilSweep = minChangesBetweenSweeps

  /** `nowUs`: microseconds since 1970. */
  constructor(options: { readonly nowUs: () => number; readonly leaseMs?: number }) {
    this.#nowUs = options.nowUs
    this.#leaseUs = (options.leaseMs ?? leaseMs) * 1000
  }

  reserve(id: string, set: LimitSet, amounts: readonly number[]): Verdict | Unseeded {
    const atUs = this.#change()
    const counts = this.#countsOf(set, atUs)
    if (counts.some(isUnseeded)) return { kind: 'unseeded', atUs }
    const states = counts.map((count, index) => measure(count, atUs, amounts[index] ?? 0))
    if (states.some(({ waitUs }) => waitUs > 0)) {
      for (const count of counts) setClockBack(count, atUs)
      return { kind: 'denied', states, atUs }
    }
    const reservation = this.#hold({ id, set, held: amounts, atUs }, counts)
    const taken = counts.map(count => ({ used: measure(count, atUs, 0).used, waitUs: 0 }))
    return { kind: 'admitted', reservation, states: taken, atUs }
  }

  /** Holds amounts for what runs already and was admitted elsewhere; nothing is refused. `id` is used once. */
  adopt(id: string, set: LimitSet, amounts: readonly number[]): Reservation {
    const atUs = this.#change()
    return this.#hold({ id, set, held: amounts, atUs }, this.#countsOf(set, atUs))
  }

  #hold(reservation: Reservation, counts: readonly Count[]): Reservation {
    const { id, held, atUs } = reservation
    const seqs = counts.map((count, index) => takeFrom(count, atUs, { id, amount: held[index] ?? 0 }))
    this.#holds.set(id, { reservation, seqs, held, untilUs: atUs + heldUs })
    return reservation
  }

  settle(reservation: Reservation, used: readonly number[]): void {
    this.#end(reservation, used)
  }

  /** Settles with nothing; returns how much of each limit was there to be given back, and had not drained. */
  release(reservation: Reservation): readonly number[] {
    return this.#end(reservation, [])
  }

  #end({ id }: Reservation, used: readonly number[]): readonly number[] {
    const nowUs = this.#change()
    const hold = this.#holds.get(id)
    this.#holds.delete(id)
    if (hold === undefined || hold.untilUs <= nowUs) return []
    const { set, atUs } = hold.reservation
    return this.#countsOf(set, atUs).map((count, index) => {
      const held = { id, seq: hold.seqs[index] ?? 0, amount: hold.held[index] ?? 0 }
      return settleIn(count, nowUs, { held, used: used[index] ?? 0 })
    })
  }

  /** One that is not known here is taken over; what it uses of rates is charged when it is settled. */
  renew(reservations: readonly Reservation[]): void {
    const nowUs = this.#change()
    for (const reservation of reservations) {
      const { id, set, held, atUs } = reservation
      const hold = this.#holds.get(id)
      const untilUs = nowUs + heldUs
      const counts = this.#countsOf(set, atUs)
      if (hold !== undefined && hold.untilUs > nowUs) hold.untilUs = untilUs
      else this.#takeOver(reservation, counts, untilUs)
      for (const [index, count] of counts.entries()) {
        if (count.kind === 'flight' && (held[index] ?? 0) > 0) occupy(count, id, nowUs)
      }
    }
  }

  #takeOver(reservation: Reservation, counts: readonly Count[], untilUs: number): void {
    const { id, held } = reservation
    const again = counts.map((count, index) => (count.kind === 'period' ? (held[index] ?? 0) : 0))
    for (const [index, count] of counts.entries()) if (count.kind === 'period') count.used += again[index] ?? 0
    this.#holds.set(id, { reservation, seqs: [], held: again, untilUs })
  }

  charge(id: string | null, set: LimitSet, amounts: readonly number[]): void {
    const nowUs = this.#change()
    if (id !== null) {
      if ((this.#charged.get(id) ?? this.#holds.get(id)?.untilUs ?? 0) > nowUs) return
      this.#charged.set(id, nowUs + chargedUs)
    }
    for (const [index, count] of this.#countsOf(set, nowUs).entries()) {
      if (count.kind === 'flight' || isUnseeded(count)) continue
      settleIn(count, nowUs, { held: { id: '', seq: 0, amount: 0 }, used: amounts[index] ?? 0 })
    }
  }

  look(set: LimitSet): readonly LimitState[] | null {
    const states = this.lookKnown(set)
    return states.every(state => state !== null) ? states : null
  }

  /** What of each limit has been used so far; null for days and months that have not been seeded. */
  lookKnown(set: LimitSet): readonly KnownState[] {
    const nowUs = this.#change()
    return this.#countsOf(set, nowUs).map(count => (isUnseeded(count) ? null : measure(count, nowUs, 0)))
  }

  /** Of rates as well, where nothing is known of one yet: to be called once for each set, before its first reservation. */
  seed(set: LimitSet, used: readonly number[], atUs: number): void {
    const nowUs = this.#change()
    for (const [index, count] of this.#countsOf(set, atUs).entries()) seedWith(count, nowUs, used[index] ?? 0)
  }

  /**
   * How much of each limit's level was added here, beyond what it was seeded with: to be charged where it is kept from now
   * on, so all of it counts as seed afterwards. What is held counts as used: what is to be held elsewhere is released first.
   */
  takeOwn(set: LimitSet): readonly number[] {
    const nowUs = this.#change()
    return this.#countsOf(set, nowUs).map(count => takeOwnOf(count, nowUs))
  }

  /** How many counts, reservations and charges are kept. */
  get size(): number {
    return this.#counts.size + this.#holds.size + this.#charged.size
  }

  /** The counts of a set's limits at a moment, those that are missing made anew. */
  #countsOf(set: LimitSet, momentUs: number): readonly Count[] {
    const { keys, periods } = this.#planAt(set, momentUs)
    return set.limits.map((limit, index) => {
      const key = keys[index] ?? ''
      const known = this.#counts.get(key)
      if (known?.kind === limit.kind) {
        known.limit = limit
        return known
      }
      const made = emptyCount(limit, { us: momentUs, leaseUs: this.#leaseUs, period: periods[index] ?? null })
      this.#counts.set(key, made)
      return made
    })
  }

  #change(): number {
    const nowUs = this.#nowUs()
    this.#changesUntilSweep -= 1
    if (this.#changesUntilSweep <= 0) this.#sweep(nowUs)
    return nowUs
  }

  #sweep(nowUs: number): void {
    for (const [key, count] of this.#counts) if (isIdle(count, nowUs)) this.#counts.delete(key)
    for (const [id, { untilUs }] of this.#holds) if (untilUs <= nowUs) this.#holds.delete(id)
    for (const [id, untilUs] of this.#charged) if (untilUs <= nowUs) this.#charged.delete(id)
    this.#changesUntilSweep = Math.max(minChangesBetweenSweeps, this.size)
  }
}
