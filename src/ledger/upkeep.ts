/** What the ledger's tables need now and then: months to come, months that are old, the prices that events name. */
import type { Sql } from 'postgres'
import type { Model } from '../domain/catalog.ts'
import type { Price } from '../domain/price.ts'
import { type PriceVersion, PriceVersionConflictError, recordPriceVersions } from '../store/price-versions.ts'
import { deleteDenialsBefore } from '../store/usage-denials.ts'
import { dropUsageBefore, findNow, makeUsagePartitions } from '../store/usage-partitions.ts'

export interface UpkeepOptions {
  readonly sql: Sql
  /** Whether the database can be asked now. */
  readonly isReachable: () => boolean
  readonly models: () => readonly Model[]
  /** Whole months of events beside the one that runs; null keeps all. */
  readonly keepMonths: number | null
  readonly log: { warn(details: object, message: string): void; error(details: object, message: string): void }
}

const intervalMs = 3_600_000
/** After one that failed, or that had no database to ask. */
const retryMs = 10_000
const dropTimeoutMs = 3000

export class Upkeep {
  readonly #options: UpkeepOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | null = null
  #isOutdated = false
  #isStopped = false

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  /** At once, and from then on each hour; called while it runs, once more after that. */
  run(): void {
    this.#isOutdated = true
    this.#running ??= this.#work().finally(() => {
      this.#running = null
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #work(): Promise<void> {
    let isDone = true
    while (this.#isOutdated && !this.#isStopped) {
      this.#isOutdated = false
      isDone = await this.#keepUp()
    }
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.run(), isDone ? intervalMs : retryMs)
    this.#timer.unref()
  }

  async #keepUp(): Promise<boolean> {
    const { sql, isReachable, models, keepMonths, log } = this.#options
    if (!isReachable()) return false
    try {
      await makeUsagePartitions(sql, Date.now())
      await recordPriceVersions(sql, models().flatMap(pricesOf))
      if (keepMonths !== null) {
        // By its clock: one that is wrong here must not cost the months of all.
        const month = firstKept(await findNow(sql), keepMonths)
        await dropUsageBefore(sql, month, dropTimeoutMs)
        await deleteDenialsBefore(sql, month)
      }
      return true
    } catch (err) {
      // Two that are called the same are two versions of this program at odds: neither loses an event by it.
      if (err instanceof PriceVersionConflictError) log.error({ err }, 'ledger: a price is not what it was recorded as')
      else if (isReachable()) log.warn({ err }, 'ledger: upkeep failed; trying again')
      return err instanceof PriceVersionConflictError
    }
  }
}

const pricesOf = ({ id, prices, targets }: Model): readonly PriceVersion[] => [
  ...prices.map(price => versionOf(price, id, null)),
  ...targets.flatMap(({ model, prices: own = [] }) => own.map(price => versionOf(price, id, model))),
]

const versionOf = ({ version, fromMs, ...price }: Price, model: string, target: string | null): PriceVersion => ({
  version,
  model,
  target,
  price,
  effectiveFrom: new Date(fromMs),
})

/** The first instant of the oldest month that is kept, UTC. */
function firstKept(now: Date, keepMonths: number): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - keepMonths))
}
