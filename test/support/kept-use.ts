import type { Limit, LimitSet } from '../../src/domain/limit.ts'
import type { Decision } from '../../src/limits/limiter.ts'
import type { PastUse, UsedBeforeQuestion } from '../../src/limits/past-use.ts'

interface Kept {
  readonly id: string
  readonly amounts: ReadonlyMap<string, number>
}

const nameOf = ({ accountId, keyId }: LimitSet, { of, name }: Limit) =>
  `${accountId} ${of === 'key' ? keyId : ''} ${name}`

/** What limiters are told of what was used before, for tests that have no ledger: all that was settled, at once. */
export class KeptUse implements PastUse {
  readonly #all: Kept[] = []
  /** While it is set nobody is told anything. */
  fault: Error | null = null

  keep(id: string, set: LimitSet, used: readonly number[]): void {
    this.#all.push({ id, amounts: new Map(set.limits.map((limit, index) => [nameOf(set, limit), used[index] ?? 0])) })
  }

  /** Whatever is settled is kept. */
  watch(id: string, decision: Decision): Decision {
    if (decision.kind !== 'admitted') return decision
    const { hold } = decision
    const { set } = hold.reservation
    let isSettled = false
    const settle = (used: readonly number[]) => {
      hold.settle(used)
      if (!isSettled) this.keep(id, set, used)
      isSettled = true
    }
    const watched = {
      settle,
      get reservation() {
        return hold.reservation
      },
    }
    return { ...decision, hold: watched }
  }

  async usedBefore({ set, except }: UsedBeforeQuestion): Promise<readonly number[]> {
    await this.whenStored()
    const excepted = except()
    const isExcepted = (id: string) => excepted.some(other => other === id || other.startsWith(`${id}-`))
    return set.limits.map(limit => {
      if (limit.kind !== 'period') return 0
      const counted = this.#all.filter(({ id }) => !isExcepted(id))
      return counted.reduce((sum, { amounts }) => sum + (amounts.get(nameOf(set, limit)) ?? 0), 0)
    })
  }

  async whenStored(): Promise<void> {
    if (this.fault !== null) throw this.fault
  }
}
