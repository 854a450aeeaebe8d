import type { LimitSet } from '../domain/limit.ts'
import { mostOf } from '../domain/limit-headers.ts'
import type { LimitState } from '../domain/reservation.ts'
import type { KnownStates } from './known-states.ts'

/** Another replica may have asked for more than this one: so many times as much is believed. */
const margin = 2

/**
 * What fits for certain although Redis has not said so yet: beside what was used when it was last heard of, what this
 * replica has asked for before, and all that the others may have asked for. Kept only while Redis is suspected.
 */
export class Headroom {
  readonly #known: KnownStates
  /** What each caller has asked for and was not answered, by the fingerprints of their sets. */
  readonly #asked = new Map<string, number[]>()

  constructor(known: KnownStates) {
    this.#known = known
  }

  /** Something has been asked for; returns all that this caller has asked for so far, with it. */
  add({ fingerprint }: LimitSet, amounts: readonly number[]): readonly number[] {
    const before = this.#asked.get(fingerprint)
    const asked = amounts.map((amount, index) => amount + (before?.[index] ?? 0))
    this.#asked.set(fingerprint, asked)
    return asked
  }

  /** The states after all that was `asked` for up to here, where it fits for certain; else null. */
  statesAfter(set: LimitSet, asked: readonly number[], replicas: number): readonly LimitState[] | null {
    const used = this.#known.usedNow(set, performance.now())
    if (used === null) return null
    const total = this.#asked.get(set.fingerprint) ?? []
    const after = set.limits.map((_, index) => (used[index] ?? 0) + (asked[index] ?? 0))
    const fits = set.limits.every((limit, index) => {
      // Places in flight are few to begin with, and free again in a moment.
      const ofOthers = (replicas - 1) * (limit.kind === 'flight' ? 1 : margin) * (total[index] ?? 0)
      return (after[index] ?? 0) + ofOthers <= mostOf(limit)
    })
    return fits ? after.map(amount => ({ used: amount, waitUs: 0 })) : null
  }

  /** What was asked for is over, and this much of it was used. */
  settle({ fingerprint, limits }: LimitSet, held: readonly number[], used: readonly number[]): void {
    const asked = this.#asked.get(fingerprint)
    if (asked === undefined) return
    for (const [index, { kind }] of limits.entries()) {
      const kept = kind === 'flight' ? 0 : Math.min(used[index] ?? 0, held[index] ?? 0)
      asked[index] = (asked[index] ?? 0) - (held[index] ?? 0) + kept
    }
  }

  clear(): void {
    this.#asked.clear()
  }
}
