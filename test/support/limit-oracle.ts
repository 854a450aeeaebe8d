import type { RateLimit } from '../../src/domain/limit.ts'

interface Charge {
  atUs: number
  amount: number
}

/**
 * A rate by brute force: remembers every charge and replays them all, with the amounts that were really used at the times
 * of their reservations.
 */
export class RateOracle {
  readonly #limit: RateLimit
  readonly #charges: Charge[] = []

  constructor(limit: RateLimit) {
    this.#limit = limit
  }

  charge(atUs: number, amount: number): Charge {
    const made = { atUs, amount }
    this.#charges.push(made)
    return made
  }

  /** In drops. */
  levelAt(nowUs: number): number {
    const { size, periodMs } = this.#limit
    let level = 0
    let clockUs = 0
    for (const { atUs, amount } of this.#charges) {
      level = Math.max(0, level - Math.max(0, atUs - clockUs) * size) + amount * periodMs * 1000
      clockUs = atUs
    }
    return Math.max(0, level - Math.max(0, nowUs - clockUs) * size)
  }
}
