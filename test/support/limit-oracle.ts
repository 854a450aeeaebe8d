import type { Limit, LimitSet, RateLimit } from '../../src/domain/limit.ts'

interface Charge {
  atUs: number
  amount: number
}

const ceilDivide = (dividend: bigint, divisor: bigint) => (dividend + divisor - 1n) / divisor

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

  stateAt(nowUs: number, amount: number) {
    const { size, capacity, periodMs } = this.#limit
    const [level, period] = [BigInt(this.levelAt(nowUs)), BigInt(periodMs * 1000)]
    const over = level + (BigInt(amount) - BigInt(capacity)) * period
    const wait = amount > capacity ? Number.POSITIVE_INFINITY : Number(ceilDivide(over, BigInt(size)))
    return { used: Number(ceilDivide(level, period)), waitUs: over <= 0n ? 0 : wait }
  }

  /** All that was ever taken may not be more than was there and has been refilled; `beyond` was added without asking. */
  isWithin(nowUs: number, beyond: number): boolean {
    const total = this.#charges.reduce((sum, { amount }) => sum + amount, 0)
    const elapsedUs = nowUs - (this.#charges[0]?.atUs ?? nowUs)
    const { size, capacity, periodMs } = this.#limit
    return total <= capacity + (size * elapsedUs) / (periodMs * 1000) + beyond
  }
}

/** What one reservation has in one count; `settle` puts the used amount in its place. */
export interface OracleHold {
  renew(nowUs: number): void
  settle(nowUs: number, used: number): void
}

export interface OracleCount {
  stateAt(nowUs: number, amount: number): { used: number; waitUs: number }
  take(nowUs: number, amount: number): OracleHold
  charge(nowUs: number, amount: number): void
  isWithin(nowUs: number): boolean
}

function rateCount(limit: RateLimit): OracleCount {
  const rate = new RateOracle(limit)
  let beyond = 0
  const charge = (nowUs: number, amount: number) => {
    beyond += amount
    rate.charge(nowUs, amount)
  }
  return {
    charge,
    stateAt: (nowUs, amount) => rate.stateAt(nowUs, amount),
    isWithin: nowUs => rate.isWithin(nowUs, beyond),
    take(nowUs, amount) {
      const taken = rate.charge(nowUs, amount)
      return {
        renew: () => undefined,
        settle(settledUs, used) {
          if (used > amount) charge(settledUs, used - amount)
          taken.amount = Math.min(used, amount)
        },
      }
    },
  }
}

function periodCount(size: number, untilUs: number): OracleCount {
  let sum = 0
  let beyond = 0
  const charge = (_nowUs: number, amount: number) => {
    sum += amount
    beyond += amount
  }
  return {
    charge,
    stateAt(nowUs, amount) {
      const never = amount > size ? Number.POSITIVE_INFINITY : untilUs - nowUs
      return { used: sum, waitUs: sum + amount > size ? never : 0 }
    },
    isWithin: () => sum <= size + beyond,
    take(_nowUs, amount) {
      sum += amount
      return {
        renew: () => undefined,
        settle(settledUs, used) {
          sum -= amount
          sum += Math.min(amount, used)
          if (used > amount) charge(settledUs, used - amount)
        },
      }
    },
  }
}

function flightCount(size: number, leaseUs: number): OracleCount {
  const ends = new Map<object, number>()
  const takenAt = (nowUs: number) => [...ends.values()].filter(endUs => endUs > nowUs).length
  return {
    charge: () => undefined,
    stateAt: (nowUs, amount) => ({
      used: takenAt(nowUs),
      waitUs: takenAt(nowUs) + Math.min(1, amount) > size ? Number.POSITIVE_INFINITY : 0,
    }),
    // Renewing asks nobody, so a place that was lost may be one too many.
    isWithin: () => true,
    take(nowUs, amount) {
      const place = {}
      const renew = (renewedUs: number) => {
        if (amount > 0) ends.set(place, renewedUs + leaseUs)
      }
      renew(nowUs)
      return { renew, settle: () => ends.delete(place) }
    },
  }
}

/** All counts of all callers; `countsOf` gives those of a set, in the order of its limits. */
export function makeOracle(options: { leaseMs: number; untilUs: (period: 'day' | 'month') => number }) {
  const counts = new Map<string, OracleCount>()
  const make = (limit: Limit) => {
    if (limit.kind === 'rate') return rateCount(limit)
    if (limit.kind === 'period') return periodCount(limit.size, options.untilUs(limit.period))
    return flightCount(limit.size, options.leaseMs * 1000)
  }
  return {
    counts,
    countsOf: ({ keyId, limits }: LimitSet): OracleCount[] =>
      limits.map(limit => {
        const name = limit.of === 'key' ? `${limit.name} of ${keyId}` : limit.name
        const count = counts.get(name) ?? make(limit)
        counts.set(name, count)
        return count
      }),
  }
}
