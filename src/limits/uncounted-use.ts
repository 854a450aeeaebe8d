import { periodAt } from '../domain/calendar.ts'
import type { Amounts, Limit, LimitSet } from '../domain/limit.ts'
import { uncountedAmounts, uncountedOf } from '../domain/uncounted.ts'
import { isOfOneAccount } from './breaker.ts'

/** Of one day. */
interface Use {
  readonly set: LimitSet
  readonly startedUs: number
  readonly used: Amounts
}

/** Beyond them the oldest is forgotten: the shared store has been away for long, and the ledger has it all the same. */
const maxCallers = 20_000
const callersAtOnce = 200

/**
 * What was used of days and months that its caller has no limit of. The shared store adds it to the counts that it has, of
 * limits that were taken away, or that another tier of the same account has: so they go on being right. Told together, now
 * and then, since nobody waits for it; but before somebody asks who has such a limit.
 */
export class UncountedUse {
  readonly #charge: (set: LimitSet, amounts: readonly number[]) => Promise<void>
  /** By the day, and the fingerprint of what is not counted. */
  readonly #waiting = new Map<string, Use>()
  /** By account: what of it is not counted. */
  readonly #names = new Map<string, Set<string>>()

  constructor(charge: (set: LimitSet, amounts: readonly number[]) => Promise<void>) {
    this.#charge = charge
  }

  /** `set`: the limits the request was under. */
  add(set: LimitSet, used: Amounts, startedUs: number): void {
    this.#keep({ set: uncountedOf(set), startedUs, used })
  }

  /** Whether one of these limits was used by somebody who does not have it, and that has not been told. */
  concerns(set: LimitSet): boolean {
    const names = this.#names.get(set.accountId)
    return names !== undefined && set.limits.some(limit => limit.kind === 'period' && names.has(nameOf(set, limit)))
  }

  /** Rejects where the store fails at it. What it has not taken is kept, and told again. */
  async tell(): Promise<void> {
    let failure: unknown = null
    while (this.#waiting.size > 0 && failure === null) {
      const uses = [...this.#waiting].slice(0, callersAtOnce)
      for (const [name] of uses) this.#waiting.delete(name)
      if (this.#waiting.size === 0) this.#names.clear()
      await Promise.all(
        uses.map(([, use]) =>
          this.#tellOf(use).catch(error => {
            // The counts of this account are wrong, and they are never going to take it.
            if (isOfOneAccount(error)) return
            failure = error
            this.#keep(use)
          }),
        ),
      )
    }
    if (failure !== null) throw failure
  }

  /** What is of a day or month that is over has nobody to be told. */
  async #tellOf({ set, startedUs, used }: Use): Promise<void> {
    const amounts = uncountedAmounts(set, used, { startedUs, nowUs: Date.now() * 1000 })
    if (amounts.some(amount => amount > 0)) await this.#charge(set, amounts)
  }

  #keep({ set, startedUs, used }: Use): void {
    const name = `${periodAt('day', startedUs).id} ${set.fingerprint}`
    const known = this.#waiting.get(name)
    if (known !== undefined) {
      this.#waiting.set(name, { ...known, used: sumOf(known.used, used) })
      return
    }
    this.#makeRoom()
    this.#waiting.set(name, { set, startedUs, used })
    const names = this.#names.get(set.accountId) ?? new Set<string>()
    for (const limit of set.limits) names.add(nameOf(set, limit))
    this.#names.set(set.accountId, names)
  }

  #makeRoom(): void {
    const [oldest] = this.#waiting.size < maxCallers ? [] : this.#waiting
    if (oldest === undefined) return
    const [name, { set }] = oldest
    this.#waiting.delete(name)
    this.#names.delete(set.accountId)
  }
}

const sumOf = (a: Amounts, b: Amounts): Amounts => ({
  requests: a.requests + b.requests,
  tokens: a.tokens + b.tokens,
  nanoUsd: a.nanoUsd + b.nanoUsd,
})

const nameOf = ({ keyId }: LimitSet, { of, name }: Limit): string => (of === 'key' ? `${keyId} ${name}` : name)
