import type { Config } from '../config.ts'
import type { Privileges } from '../domain/authority.ts'
import { limitsOfTier, withoutAbsent } from '../domain/tier-limits.ts'
import type { TierView } from '../schemas/admin/tiers.ts'

export type Tier = Config['tiers'][string]

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
