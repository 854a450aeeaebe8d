/** Nobody can grant what they lack: what a caller has, held against what it wants to give. */
import type { Limits } from '../schemas/admin/limits.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import { coversPattern, type Grant } from './key-grant.ts'

export type Authority =
  | { readonly kind: 'unlimited' }
  | { readonly kind: 'limited'; readonly grant: Grant; readonly limits: Limits }

/** The first thing that a caller lacks, and the field that asks for it. */
export interface Lack {
  readonly param: string
  /** In words, as in "you lack …". */
  readonly what: string
}

const nothing: Grant = { scopes: new Set<ScopeName>(), models: [] }

/** What of `wanted` the caller does not have itself; what was there before (`had`) is not its gift. */
export function findGrantLack(authority: Authority, wanted: Grant, had: Grant = nothing): Lack | null {
  if (authority.kind === 'unlimited') return null
  const { scopes, models } = authority.grant
  const scope = [...wanted.scopes].find(name => !scopes.has(name) && !had.scopes.has(name))
  if (scope !== undefined) return { param: 'scopes', what: `the scope "${scope}"` }
  const isCovered = (pattern: string) => [...models, ...had.models].some(wide => coversPattern(wide, pattern))
  const model = wanted.models.find(pattern => !isCovered(pattern))
  return model === undefined ? null : { param: 'models', what: `the models "${model}"` }
}

/**
 * Which of the limits is wider than the caller's own and wider than before. `had` is null where there was nothing before:
 * then all of them are given anew.
 */
export function findLimitLack(authority: Authority, wanted: Limits, had: Limits | null): Lack | null {
  if (authority.kind === 'unlimited') return null
  const own = authority.limits
  const names = Object.keys(own) as (keyof Limits)[]
  const name = names.find(
    limit => isWider(wanted[limit], own[limit]) && (had === null || isWider(wanted[limit], had[limit])),
  )
  return name === undefined ? null : { param: `limits.${name}`, what: `more ${name} than ${own[name]}` }
}

/** The limits that hold for an account: its tier's, but for those that it has of its own. */
export function overlayLimits(tier: Limits, own: Limits): Limits {
  return { ...tier, ...own }
}

type Limit = number | string | null | undefined

function isWider(left: Limit, right: Limit): boolean {
  const [a, b] = [boundOf(left), boundOf(right)]
  return b !== null && (a === null || a > b)
}

/** A count as it is, money in nano-USD, null for no limit. */
function boundOf(limit: Limit): bigint | null {
  if (limit === null || limit === undefined) return null
  if (typeof limit === 'number') return BigInt(limit)
  const [whole = '0', fraction = ''] = limit.split('.')
  return BigInt(whole + fraction.padEnd(9, '0'))
}
