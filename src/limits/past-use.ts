import type { LimitSet } from '../domain/limit.ts'

export interface UsedBeforeQuestion {
  readonly set: LimitSet
  /** Of the days and months that this is in, in microseconds since 1970. */
  readonly atUs: number
  /**
   * Asked in the moment in which the answer is made: reservations that are counted already, or will be, by their ids. What
   * they have used is not to be told once more.
   */
  readonly except: () => readonly string[]
}

/** Who knows what was used before a store of counts began, or before it forgot: the ledger. Both reject when they cannot. */
export interface PastUse {
  /** What of each limit of days and months has been used, in the order of `set.limits`; of other limits 0. */
  usedBefore(question: UsedBeforeQuestion): Promise<readonly number[]>
  /** Resolves when all that has ended here so far would be part of the answer, whichever replica asks. */
  whenStored(): Promise<void>
}
