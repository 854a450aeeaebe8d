/** What is to be told of what an account or a key has used. */
import type { Config } from '../config.ts'
import { periodAt } from '../domain/calendar.ts'
import type { PeriodLimit } from '../domain/limit.ts'
import { buildLimitSet } from '../domain/limit-set.ts'
import { formatUsd } from '../domain/money.ts'
import { reachedPercents, usedUnder } from '../domain/threshold.ts'
import { makeTimeOrderedId } from '../domain/time-ordered-id.ts'
import type { WebhookEvent } from '../schemas/webhook-event.ts'
import type { Spending } from '../store/period-usage.ts'
import type { NewDelivery } from '../store/webhook-deliveries.ts'

/** What was told of a period is forgotten so long after its end: what comes later would be told twice. */
const rememberedMs = 29 * 86_400_000

/** All that has been reached, whether it has been told or not: of each receiver, by its own thresholds. */
export function noticesOf(
  spending: Spending,
  { webhooks, tiers }: Pick<Config, 'webhooks' | 'tiers'>,
  nowMs: number,
): readonly NewDelivery[] {
  return limitsOf(spending, tiers).flatMap(limit => {
    const period = periodAt(limit.period, spending.dayMs * 1000)
    const endsMs = period.untilUs / 1000
    if (endsMs + rememberedMs < nowMs) return []
    const used = usedUnder(limit, spending)
    return Object.entries(webhooks).flatMap(([webhook, { thresholds }]) =>
      reachedPercents(used, limit.size, thresholds).map(percent => {
        const event = eventOf(spending, limit, { period: period.id, percent, used, nowMs })
        return {
          id: event.id,
          webhook,
          accountId: spending.accountId,
          keyId: spending.keyId,
          limit: limit.name,
          period: period.id,
          periodEnds: new Date(endsMs),
          percent,
          size: limit.size,
          body: JSON.stringify(event),
        }
      }),
    )
  })
}

/** Those of the account, or of the key alone. */
function limitsOf(spending: Spending, tiers: Config['tiers']): readonly PeriodLimit[] {
  const { accountId, keyId, tier, accountLimits, keyLimits } = spending
  const tierLimits = Object.hasOwn(tiers, tier) ? tiers[tier] : undefined
  const { limits } = buildLimitSet({ accountId, keyId, tier, tierLimits, accountLimits, keyLimits })
  const owner = keyId === null ? 'account' : 'key'
  return limits.filter(limit => limit.kind === 'period').filter(limit => limit.of === owner)
}

interface Crossing {
  readonly period: string
  readonly percent: number
  readonly used: bigint
  readonly nowMs: number
}

function eventOf(
  { accountId, accountName, keyId }: Spending,
  { name, unit, size }: PeriodLimit,
  { period, percent, used, nowMs }: Crossing,
): WebhookEvent {
  const isMoney = unit === 'nanoUsd'
  return {
    id: makeTimeOrderedId(nowMs),
    type: 'limit.threshold',
    created_at: new Date(nowMs).toISOString(),
    account: { id: accountId, name: accountName },
    key: keyId,
    limit: nameOf(name),
    period,
    threshold_percent: percent,
    used: isMoney ? formatUsd(used) : Number(used),
    size: isMoney ? formatUsd(size) : size,
    unit: isMoney ? 'usd' : 'tokens',
  }
}

/** Limits of periods have these names and no others. */
function nameOf(name: PeriodLimit['name']): WebhookEvent['limit'] {
  if (name === 'tokens_per_month' || name === 'spend_per_day' || name === 'spend_per_month') return name
  throw new TypeError(`${name} is no limit of a period`)
}
