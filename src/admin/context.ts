/** What every operation has to hand, and the refusals that several of them need. */
import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import type { Peppers } from '../domain/api-key.ts'
import type { Lack } from '../domain/authority.ts'
import type { Change } from '../domain/change.ts'
import { WeirError } from '../errors.ts'
import { type Account, findAccountById, findAccountByName } from '../store/accounts.ts'
import type { ChangeOutcome } from '../store/change-outcome.ts'
import { DatabaseUnavailableError } from '../store/deadline.ts'
import { mayBeKey, sameName } from './names.ts'
import type { Tier } from './tier-views.ts'

export interface OperationsContext {
  readonly sql: Sql
  readonly peppers: Peppers
  /** As the configuration has them now. */
  readonly tiers: () => Config['tiers']
  /** Told when a record has changed, so that whoever remembers it can forget it. */
  readonly announceChange: (change: Change) => void
}

/** Makes a change and tells of it, also where nobody knows whether it was made: its statement may still take effect. */
export async function announced(
  { announceChange }: Pick<OperationsContext, 'announceChange'>,
  change: Change,
  outcome: Promise<ChangeOutcome>,
): Promise<ChangeOutcome> {
  try {
    const known = await outcome
    if (known === 'done') announceChange(change)
    return known
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) announceChange(change)
    throw error
  }
}

export const invalid = (param: string, message: string) => new WeirError('invalidRequest', message, { param })
export const conflict = (message: string, param?: string) =>
  new WeirError('conflict', message, param === undefined ? {} : { param })

/** A caller's text in a message: short, nothing that a terminal or a log would obey, and no key that was pasted. */
export const shown = (text: string): string =>
  mayBeKey(text) ? 'sk-weir-***' : text.replace(/[^\x20-\x7e]/g, '?').slice(0, 100)

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a text can be the id of an account or an audit entry: the database takes no other. */
export const isUuid = (text: string): boolean => uuid.test(text)

/** By id, else by name; deleted accounts by id only. */
export async function findAccount({ sql }: Pick<OperationsContext, 'sql'>, idOrName: string): Promise<Account | null> {
  return (
    (isUuid(idOrName) ? await findAccountById(sql, idOrName) : null) ??
    (await findAccountByName(sql, sameName(idOrName)))
  )
}

export async function getAccount(
  context: Pick<OperationsContext, 'sql'>,
  idOrName: string,
  param?: string,
): Promise<Account> {
  const account = await findAccount(context, idOrName)
  if (account !== null) return account
  const message = `There is no account "${shown(idOrName)}".`
  throw new WeirError('resourceNotFound', message, param === undefined ? {} : { param })
}

/** The tier that somebody asks for. */
export function getTier(context: OperationsContext, name: string): Tier {
  const tiers = context.tiers()
  const tier = findTier(tiers, name)
  if (tier !== undefined) return tier
  throw invalid('tier', `There is no tier "${shown(name)}". There are: ${Object.keys(tiers).join(', ')}.`)
}

export function findTier(tiers: Config['tiers'], name: string): Tier | undefined {
  return Object.hasOwn(tiers, name) ? tiers[name] : undefined
}

/** Refuses what the caller cannot give because it lacks it itself. */
export function refuseLack(lack: Lack | null): void {
  if (lack === null) return
  throw new WeirError('insufficientPermissions', `Nobody can grant what they lack: you do not have ${lack.what}.`, {
    param: lack.param,
  })
}

/** Throws where it is not a time that there is. */
export function parseTime(text: string, param: string): Date {
  const time = new Date(text)
  // The 30th of February would be taken for a day of March.
  if (time.getTime() >= 0 && time.toISOString().startsWith(text.slice(0, 16))) return time
  throw invalid(param, `${param} is not a time that there is.`)
}
