import type { Limit, LimitSet } from '../domain/limit.ts'
import { mostOf } from '../domain/limit-headers.ts'
import type { LimitState } from '../domain/reservation.ts'
import type { KnownStates } from './known-states.ts'

/** What others have used since is not known, and after so long it may be much. */
const maxAgeMs = 500
/** Another replica may have asked for more than this one: so many times as much is believed. */
const margin = 2

/**
 * What fits for certain although Redis has not said so yet: beside what was used when it was last heard of, what this
 * replica has asked for before, and all that the others may have asked for. Kept only while Redis is suspected.
 */
export class Headroom {
  readonly #known: KnownStates
  /** What was asked for of each limit and not answered: keys of one account ask for the same. */
  readonly #asked = new Map<string, number>()

  constructor(known: KnownStates) {
    this.#known = known
  }

  /** Something has been asked for; returns all that has been asked for so far of these limits, with it. */
  add(set: LimitSet, amounts: readonly number[]): readonly number[] {
    return set.limits.map((limit, index) => {
      const asked = this.#askedOf(set, limit) + (amounts[index] ?? 0)
      this.#asked.set(nameOf(set, limit), asked)
      return asked
    })
  }

  /** The states after all that was `asked` for up to here, where it fits for certain; else null. */
  statesAfter(set: LimitSet, asked: readonly number[], replicas: number): readonly LimitState[] | null {
    // What others may have asked for is a guess, and money is never spent on one.
    if (set.limits.some(({ unit }) => unit === 'nanoUsd')) return null
    const used = this.#known.usedNow(set, performance.now(), maxAgeMs)
    if (used === null) return null
    const after = set.limits.map((_, index) => (used[index] ?? 0) + (asked[index] ?? 0))
    const fits = set.limits.every((limit, index) => {
      // Places in flight are few to begin with, and free again in a moment.
      const ofOthers = (replicas - 1) * (limit.kind === 'flight' ? 1 : margin) * this.#askedOf(set, limit)
      return (after[index] ?? 0) + ofOthers <= mostOf(limit)
    })
    return fits ? after.map(amount => ({ used: amount, waitUs: 0 })) : null
  }

  /** What was asked for is over, and this much of it was used. */
  settle(set: LimitSet, held: readonly number[], used: readonly number[]): void {
    for (const [index, limit] of set.limits.entries()) {
      const asked = this.#asked.get(nameOf(set, limit))
      const kept = limit.kind === 'flight' ? 0 : Math.min(used[index] ?? 0, held[index] ?? 0)
      if (asked !== undefined) this.#asked.set(nameOf(set, limit), asked - (held[index] ?? 0) + kept)
    }
  }

  clear(): void {
    this.#asked.clear()
  }

  #askedOf(set: LimitSet, limit: Limit): number {
    return this.#asked.get(nameOf(set, limit)) ?? 0
  }
}

const nameOf = ({ accountId, keyId }: LimitSet, { of, name }: Limit): string =>
  `${accountId} ${of === 'key' ? keyId : ''} ${name}`
