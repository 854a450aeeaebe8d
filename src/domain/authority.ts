/** Nobody can grant what they lack: what a caller has, held against what it wants to give. */
import type { Limits } from '../schemas/admin/limits.ts'
import type { ScopeName } from '../schemas/config/tiers.ts'
import { coversPattern, type Grant } from './key-grant.ts'
import { parseUsd } from './money.ts'

/** What a tier lets its callers do beside the limits; what is absent is not limited. The longest waits are privileges. */
export interface Privileges {
  readonly max_tokens?: number | null
  readonly burst?: number | null
  readonly priority?: number
  readonly queue_wait_ms?: number
  readonly total_deadline_ms?: number
}

/** What a caller, a key or an account can really do. */
export interface Power {
  readonly grant: Grant
  readonly limits: Limits
  readonly privileges: Privileges
  /** When it ends by itself, in milliseconds; Infinity for never. Absent for accounts, which let nobody in themselves. */
  readonly endsAtMs?: number
}

export type Authority = { readonly kind: 'unlimited' } | ({ readonly kind: 'limited' } & Power)

/** The first thing that a caller lacks, and the field that asks for it. */
export interface Lack {
  readonly param: string
  /** In words, as in "you lack …". */
  readonly what: string
}

const nothing: Grant = { scopes: new Set<ScopeName>(), models: [] }

/**
 * What of `wanted` the caller does not have itself. What was there before (`had`) and stays is not its gift, unless it is
 * to hold for more: to a grant that is widened the limits are given anew.
 */
export function findLack(authority: Authority, wanted: Power, had: Power | null): Lack | null {
  if (authority.kind === 'unlimited') return null
  const isWidened = had !== null && findGrantLack(had.grant, wanted.grant) !== null
  const kept = isWidened ? null : had
  return (
    findGrantLack(authority.grant, wanted.grant, had?.grant) ??
    findLimitLack(authority.limits, wanted.limits, kept?.limits ?? null) ??
    findPrivilegeLack(authority, wanted, kept) ??
    findTimeLack(authority, wanted, had)
  )
}

function findGrantLack({ scopes, models }: Grant, wanted: Grant, had: Grant = nothing): Lack | null {
  const scope = [...wanted.scopes].find(name => !scopes.has(name) && !had.scopes.has(name))
  if (scope !== undefined) return { param: 'scopes', what: `the scope "${scope}"` }
  const isCovered = (pattern: string) => [...models, ...had.models].some(wide => coversPattern(wide, pattern))
  const model = wanted.models.find(pattern => !isCovered(pattern))
  return model === undefined ? null : { param: 'models', what: `the models "${model}"` }
}

/** Which of the limits is wider than the caller's own and wider than before. */
function findLimitLack(own: Limits, wanted: Limits, had: Limits | null): Lack | null {
  const name = findWider(own, wanted, had)
  return name === undefined ? null : { param: `limits.${name}`, what: `more ${name} than ${own[name]}` }
}

function findPrivilegeLack(authority: Power, wanted: Power, had: Power | null): Lack | null {
  const own = privilegesOf(authority)
  const name = findWider(own, privilegesOf(wanted), had && privilegesOf(had))
  return name === undefined ? null : { param: 'tier', what: `more ${name} than ${own[name]}` }
}

/** A burst that is absent is the limit itself. */
const privilegesOf = ({ privileges, limits }: Power): Privileges => ({
  ...privileges,
  burst: privileges.burst ?? limits.requests_per_minute ?? null,
})

function findTimeLack({ endsAtMs: own = Infinity }: Power, { endsAtMs = 0 }: Power, had: Power | null): Lack | null {
  if (endsAtMs <= Math.max(own, had?.endsAtMs ?? 0)) return null
  return { param: 'expires_at', what: `the time after ${new Date(own).toISOString()}` }
}

type Bounds<Name extends string> = { readonly [Each in Name]?: Limit }

function findWider<Name extends string>(
  own: Bounds<Name>,
  wanted: Bounds<Name>,
  had: Bounds<Name> | null,
): Name | undefined {
  const names = Object.keys(own) as Name[]
  return names.find(name => isWider(wanted[name], own[name]) && (had === null || isWider(wanted[name], had[name])))
}

/** The limits that hold for an account: its tier's, but for those that it has of its own. */
export function overlayLimits(tier: Limits, own: Limits): Limits {
  return { ...tier, ...own }
}

/** The limits that hold for a key: of its account's and its own the tighter ones. */
export function narrowLimits(account: Limits, own: Limits): Limits {
  const tighter = Object.entries(own).filter(([name, limit]) => isWider(account[name as keyof Limits], limit))
  return { ...account, ...Object.fromEntries(tighter) }
}

type Limit = number | string | null | undefined

function isWider(left: Limit, right: Limit): boolean {
  const [a, b] = [boundOf(left), boundOf(right)]
  return b !== null && (a === null || a > b)
}

/** A count as it is, money in nano-USD, null for no limit. */
function boundOf(limit: Limit): number | null {
  return typeof limit === 'string' ? parseUsd(limit) : (limit ?? null)
}
