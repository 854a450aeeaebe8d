/** Which of the limits it is that keeps a request out, and what its caller is told. */
import type { ErrorName } from '../errors.ts'
import type { Demand } from './demand.ts'
import type { Limit, LimitName, LimitSet } from './limit.ts'
import { mostOf, remainingOf } from './limit-headers.ts'
import type { TierLimitSizes } from './limit-set.ts'
import { formatUsd } from './money.ts'
import type { LimitState } from './reservation.ts'

export interface DeniedRequest {
  readonly set: LimitSet
  readonly states: readonly LimitState[]
  readonly amounts: readonly number[]
  readonly tierSizes: TierLimitSizes
  /** Whether this replica keeps to its part of the limits alone. */
  readonly isLocal: boolean
}

export interface Denial {
  readonly limit: Limit
  readonly kind: ErrorName
  readonly message: string
  readonly retryAfterMs: number
  readonly shouldRetry?: false
}

/** When a place in flight is given up nobody knows, nor when Redis is back: the least that is worth waiting. */
const unknownRetryMs = 1000

/**
 * The limit that holds a request up for longest: totals of a period before all others, since no retry helps there. The
 * index is that of `limits`; -1 where none denies.
 */
export function findBinding(limits: readonly Limit[], states: readonly LimitState[]): number {
  let binding = -1
  let worst = 0
  for (const [index, limit] of limits.entries()) {
    const { waitUs } = states[index] ?? { waitUs: 0 }
    if (waitUs === 0) continue
    const isEndless = limit.kind !== 'flight' && waitUs === Number.POSITIVE_INFINITY
    const weight = (limit.kind === 'period' ? 1e30 : 0) + (isEndless ? 1e20 : waitMsOf(limit, waitUs))
    if (weight <= worst) continue
    binding = index
    worst = weight
  }
  return binding
}

/** Whether a request that was denied would fit if its prompt counted nothing: then it matters how long that really is. */
export function fitsWithoutPrompt({ set, states, demand }: Pick<DeniedRequest, 'set' | 'states'> & { demand: Demand }) {
  if (demand.promptTokens === 0) return false
  return set.limits.every((limit, index) => {
    const { used, waitUs } = states[index] ?? { used: 0, waitUs: 0 }
    if (waitUs === 0) return true
    if (limit.unit === 'requests') return false
    const withoutPrompt = limit.unit === 'tokens' ? demand.tokens - demand.promptTokens : 1
    return used + withoutPrompt <= mostOf(limit)
  })
}

/** Throws where no limit denies. */
export function explainDenial(denied: DeniedRequest): Denial {
  const { set, states, amounts, isLocal } = denied
  const index = findBinding(set.limits, states)
  const [limit, state, amount] = [set.limits[index], states[index], amounts[index]]
  if (limit === undefined || state === undefined || amount === undefined)
    throw new Error('no limit denies this request')
  const part = isLocal ? ' At the moment every server keeps to its own part of the limits.' : ''
  // What is larger than a part may fit into the whole, which is there again as soon as Redis is.
  const mayEnd = limit.kind === 'flight' && limit.size > 0
  const isNever = !isLocal && !mayEnd && state.waitUs === Number.POSITIVE_INFINITY
  const waitMs = isNever ? neverRetryMs(limit) : waitMsOf(limit, state.waitUs)
  return {
    limit,
    kind: kindOf(limit, isNever),
    message: `${describe(limit, state, amount)}${remedyFor(limit, { waitMs, isNever, isUnknown: state.waitUs === Number.POSITIVE_INFINITY })}${adviseTier(limit, denied)}${part}`,
    // A timer may end a fraction of a millisecond early, and whoever waits as told has to succeed.
    retryAfterMs: limit.kind === 'rate' && !isNever ? waitMs + 1 : waitMs,
    ...(isNever ? { shouldRetry: false } : {}),
  }
}

function waitMsOf(limit: Limit, waitUs: number): number {
  const isUnknown = limit.kind === 'flight' || waitUs === Number.POSITIVE_INFINITY
  return isUnknown ? unknownRetryMs : Math.ceil(waitUs / 1000)
}

/** No wait helps; the header has to be there all the same. */
const neverRetryMs = (limit: Limit): number => (limit.kind === 'rate' ? limit.periodMs : 86_400_000)

function kindOf(limit: Limit, isNever: boolean): ErrorName {
  if (limit.kind === 'period') return 'insufficientQuota'
  if (limit.unit === 'requests') return 'requestLimitExceeded'
  return isNever ? 'largerThanLimit' : 'tokenLimitExceeded'
}

/** What is limited and how far it is used. */
function describe(limit: Limit, state: LimitState, amount: number): string {
  const whose = limit.of === 'key' ? 'This key' : 'This account'
  const size = `${amountText(limit, limit.size)} ${windows[limit.name]}`
  const left = amountText(limit, remainingOf(limit, state))
  if (limit.unit === 'requests')
    return `${whose} may make ${size}${limit.kind === 'flight' ? '' : `; ${left} are left`}.`
  return `${whose} may use ${size}; ${left} are left, and this request may take up to ${amountText(limit, amount)}.`
}

const windows: Readonly<Record<LimitName, string>> = {
  requests_per_minute: 'a minute',
  tokens_per_minute: 'a minute',
  requests_per_day: 'a day',
  tokens_per_day: 'a day',
  requests_in_flight: 'at the same time',
  tokens_per_month: 'a calendar month',
  spend_per_day: 'a calendar day',
  spend_per_month: 'a calendar month',
}

const count = new Intl.NumberFormat('en-US')

function amountText({ unit }: Limit, amount: number): string {
  if (unit === 'nanoUsd') return `${formatUsd(amount)} USD`
  const noun = amount === 1 ? unit.slice(0, -1) : unit
  return `${count.format(amount)} ${noun}`
}

function remedyFor(
  limit: Limit,
  { waitMs, isNever, isUnknown }: { waitMs: number; isNever: boolean; isUnknown: boolean },
): string {
  const smaller = limit.unit === 'requests' ? '' : ' Lower max_tokens, or send a shorter prompt.'
  if (isNever) return limit.unit === 'requests' ? '' : ` It never fits.${smaller}`
  if (limit.kind === 'flight') return ' Wait until one of them has ended.'
  if (isUnknown) return smaller
  const seconds = count.format(Math.ceil(waitMs / 1000))
  if (limit.kind === 'rate') return ` It fits in ${seconds} s.${smaller}`
  return ` The next period begins in ${seconds} s (UTC).${smaller}`
}

/** Which tier has more of it, where it is the tier that has so little. */
function adviseTier({ name, of, size }: Limit, { set, tierSizes }: DeniedRequest): string {
  if (of === 'key' || tierSizes[set.tier]?.[name] !== size) return ''
  const larger = Object.entries(tierSizes)
    .map(([tier, limits]) => ({ tier, most: limits[name] ?? Number.POSITIVE_INFINITY }))
    .filter(({ most }) => most > size)
    .toSorted((a, b) => a.most - b.most)
  const [next] = larger
  return next === undefined ? '' : ` The tier ${next.tier} has more.`
}
