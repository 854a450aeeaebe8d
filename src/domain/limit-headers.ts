/** What a caller is told of its limits on every answer: OpenAI's headers, and the fields of the IETF draft beside them. */
import type { Limit, LimitSet, RateLimit } from './limit.ts'
import type { KnownState, LimitState } from './reservation.ts'

export type LimitHeaders = Readonly<Record<string, string>>

/** What is left of a limit; never below 0. */
export const remainingOf = (limit: Limit, { used }: LimitState): number => Math.max(0, mostOf(limit) - used)

/** The most that can be used at once. */
export const mostOf = (limit: Limit): number => (limit.kind === 'rate' ? limit.capacity : limit.size)

/** Milliseconds until a rate is whole again; a limit of nothing is as whole as it will ever be. */
export const refillMsOf = ({ size, periodMs }: RateLimit, { used }: LimitState): number =>
  size === 0 ? 0 : Math.ceil((used * periodMs) / size)

/**
 * `x-ratelimit-*` of the tightest rate in requests and of the tightest in tokens, and `RateLimit`/`RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers) of all rates, but for those of which nothing is known. States are in the order of
 * the limits.
 */
export function buildLimitHeaders({ limits }: LimitSet, states: readonly KnownState[]): LimitHeaders {
  const headers: Record<string, string> = {}
  let policies = ''
  let rates = ''
  const tightest: Partial<Record<RateLimit['unit'], { limit: RateLimit; state: LimitState }>> = {}
  for (const [index, limit] of limits.entries()) {
    const state = states[index]
    if (state === undefined || state === null || limit.kind !== 'rate') continue
    const known = tightest[limit.unit]
    if (known === undefined || remainingOf(limit, state) < remainingOf(known.limit, known.state)) {
      tightest[limit.unit] = { limit, state }
    }
    const comma = policies === '' ? '' : ', '
    const resetSeconds = Math.ceil(refillMsOf(limit, state) / 1000)
    policies += `${comma}"${policyName(limit)}";q=${limit.size};w=${limit.periodMs / 1000}`
    rates += `${comma}"${policyName(limit)}";r=${remainingOf(limit, state)};t=${resetSeconds}`
  }
  for (const unit of ['requests', 'tokens'] as const) {
    const found = tightest[unit]
    if (found === undefined) continue
    headers[`x-ratelimit-limit-${unit}`] = String(found.limit.capacity)
    headers[`x-ratelimit-remaining-${unit}`] = String(remainingOf(found.limit, found.state))
    headers[`x-ratelimit-reset-${unit}`] = formatGoDuration(refillMsOf(found.limit, found.state))
  }
  if (policies !== '') {
    headers['ratelimit-policy'] = policies
    headers['ratelimit'] = rates
  }
  return headers
}

const policyName = ({ of, name }: Limit): string => `${of === 'key' ? 'key-' : ''}${name.replaceAll('_', '-')}`

/** As Go writes durations and OpenAI its resets: `12ms`, `1s`, `6m0s`. Above a second whole seconds, rounded up. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.ceil(durationMs)}ms`
  const seconds = Math.ceil(durationMs / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  return `${hours > 0 ? `${hours}h` : ''}${seconds >= 60 ? `${minutes}m` : ''}${seconds % 60}s`
}
