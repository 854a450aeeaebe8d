/** What somebody who may not do something is told: what is missing, and which tier has it. */
import type { ScopeName } from '../schemas/config/tiers.ts'
import type { Model } from './catalog.ts'
import { isAllowed } from './permission.ts'
import type { Principal } from './principal.ts'
import type { TierGrants } from './standing.ts'

/** Whether any of a model's names is among these names and globs. */
export const coversModel = (patterns: readonly string[], { id, aliases }: Model): boolean =>
  isAllowed(id, patterns) || aliases.some(alias => isAllowed(alias, patterns))

export function adviseScope(scope: ScopeName, principal: Principal, tiers: TierGrants): string {
  const noun = nounFor(principal)
  const missing = `This ${noun} does not have the scope "${scope}", which this request needs.`
  const having = Object.keys(tiers).filter(name => tiers[name]?.scopes.includes(scope))
  // A tier need not have it for a key to be given it.
  if (scope === 'admin' && having.length === 0) return `${missing} An administrator can give it to a key.`
  return `${missing} ${whoHas(principal, having)}`
}

/** `shown` is the name that was asked for, fit to be repeated. */
export function adviseModel(shown: string, model: Model, principal: Principal, tiers: TierGrants): string {
  const having = Object.keys(tiers).filter(name => coversModel(tiers[name]?.models ?? [], model))
  const missing = `This ${nounFor(principal)} may not use model '${shown}'.`
  return `${missing} ${whoHas(principal, having)} GET /v1/models lists what it may use.`
}

const nounFor = ({ credential }: Principal): string => (credential === 'key' ? 'key' : 'token')

function whoHas(principal: Principal, having: readonly string[]): string {
  const { tier } = principal
  if (having.includes(tier)) return `Its tier ${tier} has it: ask for a ${nounFor(principal)} that is not narrower.`
  const [last, ...others] = having.toReversed()
  if (last === undefined) return 'No tier has it.'
  if (others.length === 0) return `The tier ${last} has it.`
  return `The tiers ${others.toReversed().join(', ')} and ${last} have it.`
}
