import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isAllowed } from '../../src/domain/permission.ts'
import type { CreatedKeyView } from '../../src/schemas/admin/keys.ts'
import type { ScopeName } from '../../src/schemas/config/tiers.ts'
import { type AdminClient, adminOf, noBackend } from './admin.ts'
import { buildGateway, type Gateway } from './gateway.ts'
import { commandsOf, operationsOf } from './keys.ts'

/** Tiers that overlap in every way. */
export const tiers = {
  small: { scopes: ['chat', 'models'], models: ['small-*'], rpm: 10, priority: 10, cap: 100 },
  large: { scopes: ['chat', 'completions', 'models'], models: ['small-*', 'big-*'], rpm: null, priority: 50, cap: 200 },
  office: { scopes: ['admin', 'chat', 'usage'], models: ['small-1', 'big-*'], rpm: 50, priority: 50, cap: 200 },
  all: {
    scopes: ['chat', 'completions', 'embeddings', 'models', 'usage'],
    models: ['*'],
    rpm: null,
    priority: 50,
    cap: null,
  },
} as const
export type TierName = keyof typeof tiers
export const tierNames = Object.keys(tiers) as TierName[]
const settingsOf = (name: TierName) => {
  const { scopes, models, rpm, priority, cap } = tiers[name]
  const limits = rpm === null ? {} : { requestsPerMinute: rpm }
  return { scopes, models, limits, priority, maxTokens: cap === null ? {} : { cap } }
}
const yaml = `tiers: ${JSON.stringify(Object.fromEntries(tierNames.map(name => [name, settingsOf(name)])))}`

export const scopePool = ['chat', 'completions', 'embeddings', 'models', 'usage', 'admin'] as const
export const modelPool = ['*', 'small-*', 'small-1', 'big-*', 'big-1', 's*1', 'other']
/** Names that tell all those patterns apart. */
const names = ['small-1', 'small-2', 'big-1', 'big-2', 'other', 's1', 'anything', '*']

/** All that can be counted; Infinity where it is not limited. */
interface Counts {
  readonly rpm: number
  readonly priority: number
  readonly maxTokens: number
  readonly endsAtMs: number
}

export interface Power {
  readonly scopes: ReadonlySet<string>
  readonly names: ReadonlySet<string>
  readonly counts: Counts
}

export interface KeyBody {
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
  readonly limits?: RateLimit | null
  readonly expires_at?: string | null
}

export interface RateLimit {
  readonly requests_per_minute?: number | null
}

export interface Owner {
  readonly tier: TierName
  readonly limits: RateLimit | null
}

/** What a key can really do, by names and not by patterns. */
export function powerOf({ scopes, models, limits, expires_at }: KeyBody, owner: Owner): Power {
  const tier = tiers[owner.tier]
  const isInTier = (scope: string) => scope === 'admin' || tier.scopes.some(name => name === scope)
  const reachable = names.filter(name => isAllowed(name, tier.models) && (models === null || isAllowed(name, models)))
  const ofAccount = owner.limits?.requests_per_minute === undefined ? tier.rpm : owner.limits.requests_per_minute
  const endless = Number.POSITIVE_INFINITY
  const counts = {
    rpm: Math.min(ofAccount ?? endless, limits?.requests_per_minute ?? endless),
    priority: tier.priority,
    maxTokens: tier.cap ?? endless,
    endsAtMs: expires_at ? Date.parse(expires_at) : endless,
  }
  return { scopes: new Set(scopes?.filter(isInTier) ?? tier.scopes), names: new Set(reachable), counts }
}

/** Nobody gets in by an account alone, so no time is given with it. */
export function powerOfAccount(owner: Owner): Power {
  const power = powerOf({ scopes: null, models: null }, owner)
  return { ...power, counts: { ...power.counts, endsAtMs: 0 } }
}

const nothing = { rpm: 0, priority: 0, maxTokens: 0, endsAtMs: 0 }
export const noPower: Power = { scopes: new Set(), names: new Set(), counts: nothing }

/** `had` stays what it was; but for what is added to it, its counts do not hold. */
export function assertGiven(power: Power, { bound, had }: { bound: Power; had: Power }, what: string): void {
  const [scopes, reach] = [bound.scopes.union(had.scopes), bound.names.union(had.names)]
  assert.ok(power.scopes.isSubsetOf(scopes), `${what}: ${[...power.scopes]} beyond ${[...scopes]}`)
  assert.ok(power.names.isSubsetOf(reach), `${what}: ${[...power.names]} beyond ${[...reach]}`)
  const isWidened = !power.scopes.isSubsetOf(had.scopes) || !power.names.isSubsetOf(had.names)
  for (const name of Object.keys(nothing) as (keyof Counts)[]) {
    const most = isWidened && name !== 'endsAtMs' ? bound.counts[name] : Math.max(bound.counts[name], had.counts[name])
    assert.ok(power.counts[name] <= most, `${what}: ${name} ${power.counts[name]} beyond ${most}`)
  }
}

/** Keys of tiers may not have what these do not; what is asked for beyond that is another refusal. */
export function withinTier({ limits, expires_at, ...grant }: KeyBody, tierName: TierName): KeyBody {
  const { scopes, models } = tiers[tierName]
  const isCovered = (model: string) => scopes.length > 0 && models.some(wide => wide === '*' || wide === model)
  const kept = grant.models?.filter(model => isCovered(model) || isAllowed(model, models)) ?? null
  const wanted = grant.scopes?.filter(scope => scope === 'admin' || scopes.some(name => name === scope)) ?? null
  return {
    scopes: wanted?.length === 0 ? null : wanted,
    models: kept?.length === 0 ? null : kept,
    ...(limits !== undefined && { limits }),
    ...(expires_at !== undefined && { expires_at }),
  }
}

export interface World {
  readonly gateway: Gateway
  readonly commands: ReturnType<typeof commandsOf>
  readonly root: AdminClient
}

/** Accounts of each tier: one of its name, and one with limits of its own, wider than some tiers' and tighter than others'. */
export const ownLimits = { requests_per_minute: 20 }
export const accountOf = (tier: TierName, hasLimits: boolean): Owner & { readonly name: string } =>
  hasLimits ? { name: `${tier} with limits`, tier, limits: ownLimits } : { name: tier, tier, limits: null }

/** A gateway with these tiers, and those accounts. */
export async function buildWorld(t: TestContext): Promise<World> {
  const gateway = await buildGateway(t, { env: noBackend, yaml })
  const commands = commandsOf(operationsOf(gateway.app))
  for (const tier of tierNames) {
    for (const hasLimits of [false, true]) await commands.createAccount(accountOf(tier, hasLimits))
  }
  return { gateway, commands, root: adminOf(gateway) }
}

/** A key of what of the grant its tier allows. */
export async function makeKey(
  { commands }: World,
  { name, tier }: Owner & { readonly name: string },
  grant: KeyBody,
): Promise<CreatedKeyView> {
  const { limits, ...fields } = withinTier(grant, tier)
  return await commands.createKey({ account: name, ...fields, ...(limits && { limits: limits as object }) })
}
