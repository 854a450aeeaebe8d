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
  small: { scopes: ['chat', 'models'], models: ['small-*'], limits: { requestsPerMinute: 10 }, rpm: 10 },
  large: { scopes: ['chat', 'completions', 'models'], models: ['small-*', 'big-*'], limits: {}, rpm: null },
  office: {
    scopes: ['admin', 'chat', 'usage'],
    models: ['small-1', 'big-*'],
    limits: { requestsPerMinute: 50 },
    rpm: 50,
  },
  all: { scopes: ['chat', 'completions', 'embeddings', 'models', 'usage'], models: ['*'], limits: {}, rpm: null },
} as const
export type TierName = keyof typeof tiers
export const tierNames = Object.keys(tiers) as TierName[]
const yaml = `tiers: ${JSON.stringify(Object.fromEntries(tierNames.map(name => [name, { ...tiers[name], rpm: undefined }])))}`

export const scopePool = ['chat', 'completions', 'embeddings', 'models', 'usage', 'admin'] as const
export const modelPool = ['*', 'small-*', 'small-1', 'big-*', 'big-1', 's*1', 'other']
/** Names that tell all those patterns apart. */
const names = ['small-1', 'small-2', 'big-1', 'big-2', 'other', 's1', 'anything', '*']

export interface Power {
  readonly scopes: ReadonlySet<string>
  readonly names: ReadonlySet<string>
}

export interface KeyBody {
  readonly scopes: readonly ScopeName[] | null
  readonly models: readonly string[] | null
}

/** What a key can really do, by names and not by patterns. */
export function powerOf({ scopes, models }: KeyBody, tierName: string): Power {
  const tier = tiers[tierName as TierName]
  const isInTier = (scope: string) => scope === 'admin' || tier.scopes.some(name => name === scope)
  const reachable = names.filter(name => isAllowed(name, tier.models) && (models === null || isAllowed(name, models)))
  return { scopes: new Set(scopes?.filter(isInTier) ?? tier.scopes), names: new Set(reachable) }
}

export const union = (a: Power, b: Power): Power => ({
  scopes: a.scopes.union(b.scopes),
  names: a.names.union(b.names),
})
export const noPower: Power = { scopes: new Set(), names: new Set() }

export function assertWithin(power: Power, bound: Power, what: string): void {
  assert.ok(power.scopes.isSubsetOf(bound.scopes), `${what}: ${[...power.scopes]} beyond ${[...bound.scopes]}`)
  assert.ok(power.names.isSubsetOf(bound.names), `${what}: ${[...power.names]} beyond ${[...bound.names]}`)
}

/** Keys of tiers may not have what these do not; what is asked for beyond that is another refusal. */
export function withinTier(grant: KeyBody, tierName: TierName): KeyBody {
  const { scopes, models } = tiers[tierName]
  const isCovered = (model: string) => scopes.length > 0 && models.some(wide => wide === '*' || wide === model)
  const kept = grant.models?.filter(model => isCovered(model) || isAllowed(model, models)) ?? null
  const wanted = grant.scopes?.filter(scope => scope === 'admin' || scopes.some(name => name === scope)) ?? null
  return { scopes: wanted?.length === 0 ? null : wanted, models: kept?.length === 0 ? null : kept }
}

/** Requests a minute; Infinity where they are not limited. */
export const limitOf = (tier: TierName, limits: { requests_per_minute?: number | null } | null): number => {
  const own = limits?.requests_per_minute
  return (own === undefined ? tiers[tier].rpm : own) ?? Number.POSITIVE_INFINITY
}

export interface World {
  readonly gateway: Gateway
  readonly commands: ReturnType<typeof commandsOf>
  readonly root: AdminClient
}

/** A gateway with these tiers, and an account of each tier and its name. */
export async function buildWorld(t: TestContext): Promise<World> {
  const gateway = await buildGateway(t, { env: noBackend, yaml })
  const commands = commandsOf(operationsOf(gateway.app))
  for (const name of tierNames) await commands.createAccount({ name, tier: name })
  return { gateway, commands, root: adminOf(gateway) }
}

/** A key that ends in 2998, of what of the grant its tier allows. */
export async function makeKey({ commands }: World, tier: TierName, grant: KeyBody): Promise<CreatedKeyView> {
  return await commands.createKey({ account: tier, ...withinTier(grant, tier), expires_at: '2998-06-01T00:00:00.000Z' })
}
