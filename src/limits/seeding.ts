import { type BulkheadPolicy, bulkhead } from 'cockatiel'
import { LRUCache } from 'lru-cache'
import { periodAt } from '../domain/calendar.ts'
import type { LimitSet } from '../domain/limit.ts'
import type { Unseeded } from '../domain/reservation.ts'
import { reasonOf } from '../log/describe-error.ts'
import type { Decision } from './limiter.ts'
import type { PastUse, UsedBeforeQuestion } from './past-use.ts'
import type { UncountedRequests, Window } from './uncounted-requests.ts'

export interface SeedingOptions {
  readonly store: {
    /** As of a LimitStore; `noted` is what `findRunning` has said, and where that has been forgotten nothing is changed. */
    seed(set: LimitSet, used: readonly number[], atUs: number, noted: readonly string[]): void | Promise<void>
  }
  /** Since when the store has counted all there was, in microseconds since 1970: as of now, since it may have forgotten. */
  readonly findSinceUs: () => Promise<number>
  /** Whether all that runs has been noted in the store; rejects when that takes too long. */
  readonly whenComplete: () => Promise<void>
  readonly uncounted: UncountedRequests
  /** What is to be done before the ledger is asked: what it has as well must not be counted after. */
  readonly beforeSeed: () => Promise<void>
  readonly findRunning: (set: LimitSet, atUs: number) => Promise<readonly string[]>
  readonly onTrouble: (reason: string) => void
}

/** The ledger is asked for so many callers at once; a new day brings them all. */
const atOnce = 4
const mostWaiting = 10_000
const mostRemembered = 50_000
/** A day may end while it is seeded. */
const mostTries = 3

/**
 * Tells a store of counts what was used before it began, or before it forgot: nobody can be let in by what is left of a day
 * or month until that is known.
 */
export class Seeding {
  readonly #options: SeedingOptions
  readonly #questions: BulkheadPolicy = bulkhead(atOnce, mostWaiting)
  /** By the fingerprint of the limits. */
  readonly #running = new Map<string, Promise<void>>()
  /** By the fingerprint of the limits: when they were seeded last, in microseconds since 1970. */
  readonly #seeded = new LRUCache<string, number>({ max: mostRemembered })
  #past: PastUse | null = null

  constructor(options: SeedingOptions) {
    this.#options = options
  }

  /** Until it has been said who knows, nothing can be seeded but periods of limits that were there in the one before. */
  use(past: PastUse): void {
    this.#past = past
  }

  /** Seeds what is `unseeded` and asks again. Never rejects. */
  async thenAsk(
    set: LimitSet,
    unseeded: Unseeded,
    ask: () => Decision | Unseeded | Promise<Decision | Unseeded>,
  ): Promise<Decision> {
    let answer: Decision | Unseeded = unseeded
    for (let tries = 0; tries < mostTries && answer.kind === 'unseeded'; tries += 1) {
      if (!(await this.hasSeeded(set, answer.atUs))) break
      answer = await ask()
    }
    return answer.kind === 'unseeded' ? { kind: 'unavailable' } : answer
  }

  /** Whether the days and months that `atUs` is in could be seeded for these limits. Never rejects. */
  async hasSeeded(set: LimitSet, atUs: number): Promise<boolean> {
    try {
      await this.#seedOnce(set, atUs)
      return true
    } catch (error) {
      this.#options.onTrouble(`what account ${set.accountId} has used is not known: ${reasonOf(error)}`)
      return false
    }
  }

  #seedOnce(set: LimitSet, atUs: number): Promise<void> {
    const running = this.#running.get(set.fingerprint)
    if (running !== undefined) return running
    const seeding = this.#seed(set, atUs).finally(() => this.#running.delete(set.fingerprint))
    this.#running.set(set.fingerprint, seeding)
    return seeding
  }

  async #seed(set: LimitSet, atUs: number): Promise<void> {
    const { findSinceUs, whenComplete } = this.#options
    const sinceUs = await findSinceUs()
    const isOld = set.limits.some(limit => limit.kind === 'period' && periodAt(limit.period, atUs).fromUs < sinceUs)
    if (isOld) await whenComplete()
    await this.#questions.execute(async () => {
      const window = this.#options.uncounted.open(set.accountId)
      try {
        await this.#seedBetween(window, { set, atUs, isOld })
      } finally {
        window.close()
      }
    })
    this.#seeded.set(set.fingerprint, atUs)
  }

  async #seedBetween(window: Window, { set, atUs, isOld }: { set: LimitSet; atUs: number; isOld: boolean }) {
    const { store, beforeSeed, findRunning } = this.#options
    await beforeSeed()
    const running = await findRunning(set, atUs)
    const except = () => [...running, ...window.ids()]
    await store.seed(set, await this.#usedBefore({ set, atUs, except }, isOld), atUs, running)
  }

  async #usedBefore(question: UsedBeforeQuestion, isOld: boolean): Promise<readonly number[]> {
    try {
      return await this.#ask(question)
    } catch (error) {
      // Who had these limits before the period began, and nothing counted by them since, has used nothing of it.
      if (isOld || !this.#hadBefore(question)) throw error
      return question.set.limits.map(() => 0)
    }
  }

  /** Whether they were the caller's in the day and month before the ones that are asked about. */
  #hadBefore({ set, atUs }: UsedBeforeQuestion): boolean {
    const seededUs = this.#seeded.get(set.fingerprint)
    if (seededUs === undefined) return false
    return set.limits.every(limit => {
      if (limit.kind !== 'period') return true
      const { fromUs } = periodAt(limit.period, atUs)
      return seededUs >= periodAt(limit.period, fromUs - 1).fromUs
    })
  }

  async #ask(question: UsedBeforeQuestion): Promise<readonly number[]> {
    if (this.#past === null) throw new Error('the ledger has not been opened yet')
    return await this.#past.usedBefore(question)
  }
}
