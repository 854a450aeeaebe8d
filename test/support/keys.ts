import type { FastifyInstance } from 'fastify'
import { type CommandOperations, commandOperationsOver, performCommand } from '../../src/admin/command-operations.ts'
import { buildOperations, type Operations } from '../../src/admin/operations.ts'
import type { CreateKey } from '../../src/schemas/admin/keys.ts'

export interface KeyGrant extends CreateKey {
  /** Of the account, where it is made for the key. */
  readonly tier?: string
}

/** Makes a key as the keys command makes it, with its account where that is not there yet, and returns the secret. */
export async function makeKey(app: FastifyInstance, { tier, ...grant }: KeyGrant): Promise<string> {
  const commands = commandsOf(operationsOf(app))
  await commands.ensureAccount({ name: grant.account, ...(tier !== undefined && { tier }) })
  return (await commands.createKey(grant)).key
}

export function operationsOf({ sql, peppers, announceChange, configuration }: FastifyInstance): Operations {
  return buildOperations({ sql, peppers, announceChange, tiers: () => configuration.current.tiers })
}

/** The operations as commands have them, without a socket between. */
export const commandsOf = (operations: Operations): CommandOperations =>
  commandOperationsOver((name, input) => performCommand(operations, name, input))
