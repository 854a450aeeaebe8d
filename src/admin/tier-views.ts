import type { Config } from '../config.ts'
import type { Privileges } from '../domain/authority.ts'
import type { Limits } from '../schemas/admin/limits.ts'
import type { TierView } from '../schemas/admin/tiers.ts'

export type Tier = Config['tiers'][string]

/** A tier's limits, quotas and spend limits in the words of the admin API; what is absent is not limited. */
export function limitsOfTier(tier: Tier | undefined): Limits {
  if (tier === undefined) return {}
  const { limits, quotas, spendLimits } = tier
  return withoutAbsent({
    requests_per_minute: limits.requestsPerMinute,
    tokens_per_minute: limits.tokensPerMinute,
    requests_per_day: limits.requestsPerDay,
    tokens_per_day: limits.tokensPerDay,
    requests_in_flight: limits.requestsInFlight,
    tokens_per_month: quotas.tokensPerMonth,
    spend_per_day: spendLimits.perDay,
    spend_per_month: spendLimits.perMonth,
  })
}

/** Of a tier that the configuration does not have there are none. */
export function privilegesOfTier(tier: Tier | undefined): Privileges {
  if (tier === undefined) return {}
  const { limits, maxTokens, priority, queueWaitMs, totalDeadlineMs } = tier
  return {
    max_tokens: maxTokens.cap ?? null,
    burst: limits.burst ?? null,
    priority,
    queue_wait_ms: queueWaitMs,
    total_deadline_ms: totalDeadlineMs,
  }
}

export function tierView(name: string, tier: Tier): TierView {
  const { tokens_per_month, spend_per_day, spend_per_month, ...limits } = limitsOfTier(tier)
  return {
    object: 'tier',
    name,
    scopes: tier.scopes,
    models: tier.models,
    limits: withoutAbsent({ ...limits, burst: tier.limits.burst }),
    quotas: withoutAbsent({ tokens_per_month }),
    spend_limits: withoutAbsent({ per_day: spend_per_day, per_month: spend_per_month }),
    max_tokens: tier.maxTokens,
    priority: tier.priority,
    queue_wait_ms: tier.queueWaitMs,
    total_deadline_ms: tier.totalDeadlineMs,
  }
}

type Present<Fields> = { [Name in keyof Fields]?: NonNullable<Fields[Name]> }

function withoutAbsent<Fields extends object>(fields: Fields): Present<Fields> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(present) as Present<Fields>
}
