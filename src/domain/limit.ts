/** The limits a caller is under, and what one request takes of each. */

export type LimitName =
  | 'requests_per_minute'
  | 'tokens_per_minute'
  | 'requests_per_day'
  | 'tokens_per_day'
  | 'requests_in_flight'
  | 'tokens_per_month'
  | 'spend_per_day'
  | 'spend_per_month'

/** Whose it is: a key has limits beside those of its account, and counts for both. */
export type LimitOwner = 'account' | 'key'

interface LimitBase {
  readonly name: LimitName
  readonly of: LimitOwner
  /** Requests, tokens, or nano-USD; a whole number of at most 2^53. */
  readonly size: number
}

/** Refilled evenly: `size` per period. */
export interface RateLimit extends LimitBase {
  readonly kind: 'rate'
  readonly unit: 'requests' | 'tokens'
  /** The most that can be saved up; `size` unless the tier has a burst. */
  readonly capacity: number
  readonly periodMs: number
}

/** A total per calendar period, UTC: a quota in tokens or a spend limit in nano-USD. */
export interface PeriodLimit extends LimitBase {
  readonly kind: 'period'
  readonly unit: 'tokens' | 'nanoUsd'
  readonly period: 'day' | 'month'
}

/** At the same time. */
export interface FlightLimit extends LimitBase {
  readonly kind: 'flight'
  readonly unit: 'requests'
}

export type Limit = RateLimit | PeriodLimit | FlightLimit

/** All limits that hold for one caller. Made once for each standing of a caller, and the same object as long as that holds. */
export interface LimitSet {
  readonly accountId: string
  /** Null where it is not a key that calls. */
  readonly keyId: string | null
  readonly tier: string
  readonly limits: readonly Limit[]
  /** Equal for equal limits of the same caller, other for others. */
  readonly fingerprint: string
}

/** What a request takes of limits: at most before it runs, really once it is over. */
export interface Amounts {
  readonly requests: number
  readonly tokens: number
  readonly nanoUsd: number
}

/** What of `amounts` counts under this limit. */
export const amountFor = ({ unit }: Limit, amounts: Amounts): number => amounts[unit]
