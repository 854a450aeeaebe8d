import { LRUCache } from 'lru-cache'
import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { buildLimitSet } from '../domain/limit-set.ts'
import { type Spender, spendingOf } from '../store/period-usage.ts'
import { type NewDelivery, putDeliveries } from '../store/webhook-deliveries.ts'
import { noticesOf } from './notices.ts'

export interface LookOptions {
  readonly sql: Sql
  readonly config: () => Pick<Config, 'webhooks' | 'tiers'>
  /** Something new is to be delivered. */
  readonly onNotice: () => void
}

const maxTold = 10_000

/** Looks whether spenders have reached a threshold, and puts what is to be told of it into the outbox. */
export class ThresholdLook {
  readonly #options: LookOptions
  /** What is in the outbox, as far as it is known here: a limit that is used up is not put in again with each request. */
  readonly #told = new LRUCache<string, true>({ max: maxTold })

  constructor(options: LookOptions) {
    this.#options = options
  }

  /** At a hundred or so; at all of them, or it throws what the database does. */
  async at(spenders: readonly Spender[]): Promise<void> {
    const { sql, config, onNotice } = this.#options
    const { webhooks, tiers } = config()
    const spending = await spendingOf(sql, spenders, limitedTiers(tiers))
    const notices = spending.flatMap(one => noticesOf(one, { webhooks, tiers }, Date.now()))
    const fresh = notices.filter(notice => !this.#told.has(identityOf(notice)))
    if (fresh.length === 0) return
    const put = await putDeliveries(sql, fresh)
    for (const notice of fresh) this.#told.set(identityOf(notice), true)
    if (put > 0) onNotice()
  }
}

const identityOf = ({ webhook, accountId, keyId, limit, period, percent, size }: NewDelivery): string =>
  JSON.stringify([webhook, accountId, keyId, limit, period, percent, size])

/** Tiers with a quota or a spend limit. */
function limitedTiers(tiers: Config['tiers']): readonly string[] {
  const isLimited = (tier: string) =>
    buildLimitSet({
      accountId: '',
      keyId: null,
      tier,
      tierLimits: tiers[tier],
      accountLimits: {},
      keyLimits: {},
    }).limits.some(({ kind }) => kind === 'period')
  return Object.keys(tiers).filter(isLimited)
}
