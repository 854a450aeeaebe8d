import type { Sql } from 'postgres'
import { periodAt } from '../domain/calendar.ts'
import type { LimitSet, PeriodLimit } from '../domain/limit.ts'
import { timeOfId } from '../domain/time-ordered-id.ts'
import type { PastUse, UsedBeforeQuestion } from '../limits/past-use.ts'
import { DatabaseUnavailableError } from '../store/deadline.ts'
import { findSpent, type Spent } from '../store/usage-spent.ts'

export interface LedgerPastOptions {
  readonly sql: Sql
  /** Whether the database has all that was recorded here so far; waits for it so long at most. */
  readonly flush: (withinMs: number) => Promise<boolean>
  readonly isReachable: () => boolean
}

const flushMs = 3000
/** A request is called when it begins to arrive; its event has a later time, unless the clock is put right in between. */
const clockStepMs = 60_000

/** What was used before, by the ledger: what it has been told here is stored first. */
export class LedgerPast implements PastUse {
  readonly #options: LedgerPastOptions

  constructor(options: LedgerPastOptions) {
    this.#options = options
  }

  async whenStored(): Promise<void> {
    const { flush, isReachable } = this.#options
    if (!isReachable()) throw new DatabaseUnavailableError('the database that has the ledger is away')
    if (!(await flush(flushMs))) throw new Error(`the ledger could not be stored within ${flushMs} ms`)
  }

  async usedBefore({ set, atUs, except }: UsedBeforeQuestion): Promise<readonly number[]> {
    await this.whenStored()
    const requestIds = [...new Set(except().map(requestIdOf))]
    const asked = new Map<string, Promise<Spent>>()
    return await Promise.all(
      set.limits.map(async limit => {
        if (limit.kind !== 'period') return 0
        const name = `${limit.of} ${limit.period}`
        const spent = asked.get(name) ?? this.#find(set, limit, { atUs, except: requestIds })
        asked.set(name, spent)
        return Number((await spent)[limit.unit])
      }),
    )
  }

  #find(
    { accountId, keyId }: LimitSet,
    { of, period }: PeriodLimit,
    { atUs, except }: { readonly atUs: number; readonly except: readonly string[] },
  ): Promise<Spent> {
    return findSpent(this.#options.sql, {
      accountId,
      keyId: of === 'key' ? keyId : null,
      unit: period,
      from: new Date(periodAt(period, atUs).fromUs / 1000),
      except,
      exceptFrom: earliest(except),
    })
  }
}

/** Of requests by their ids, so that only what is as new as they are is searched for them; of what came by another id, any time. */
function earliest(requestIds: readonly string[]): Date {
  const times = requestIds.map(id => timeOfId(id) ?? 0)
  return new Date(Math.max(times.reduce((least, time) => Math.min(least, time), Date.now()) - clockStepMs, 0))
}

/** Reservations are called by their request, and those that are made for one once more have a word behind it. */
const requestIdOf = (reservationId: string): string => reservationId.split('-')[0] ?? reservationId
