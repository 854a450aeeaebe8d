/** The limits of a tier, in the words that accounts and keys have for theirs. */
import type { Limits } from '../schemas/admin/limits.ts'

/** What the configuration says of a tier's limits; what is absent is not limited. */
export interface TierLimits {
  readonly limits: {
    readonly requestsPerMinute?: number
    readonly tokensPerMinute?: number
    readonly requestsPerDay?: number
    readonly tokensPerDay?: number
    readonly requestsInFlight?: number
    /** Of requests per minute only. */
    readonly burst?: number
  }
  readonly quotas: { readonly tokensPerMonth?: number }
  /** USD as decimal text. */
  readonly spendLimits: { readonly perDay?: string; readonly perMonth?: string }
}

/** Of a tier that the configuration does not have there are none. */
export function limitsOfTier(tier: TierLimits | undefined): Limits {
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

type Present<Fields> = { [Name in keyof Fields]?: NonNullable<Fields[Name]> }

export function withoutAbsent<Fields extends object>(fields: Fields): Present<Fields> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(present) as Present<Fields>
}
