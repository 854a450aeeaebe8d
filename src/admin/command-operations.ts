/**
 * The operations as commands have them, the same whether asked over the control socket or with the database in hand: each
 * by its name, with the shape of its question. To let commands do something else, add a line to the table.
 */
import { CreateAccountSchema, ListAccountsSchema } from '../schemas/admin/accounts.ts'
import {
  ChangeAccountSchema,
  EnsureAccountSchema,
  ForAccountSchema,
  ForKeySchema,
  RotationSchema,
} from '../schemas/admin/commands.ts'
import { CreateKeySchema, ListKeysSchema } from '../schemas/admin/keys.ts'
import type { Static, TSchema } from '../schemas/typebox.ts'
import { buildValidators } from '../schemas/validators.ts'
import type { Creation } from './creation.ts'
import type { Operations } from './operations.ts'

const as = { kind: 'command' } as const
const once = <Body>(body: Body) => ({ body, idempotencyKey: null })

/** Without an Idempotency-Key nothing is replayed. */
function fresh<Fresh, Record>(creation: Creation<Fresh, Record>): Fresh {
  if (creation.kind === 'made') return creation.record
  throw new Error('a creation without an Idempotency-Key was replayed')
}

interface Line<Input extends TSchema, Result> {
  readonly schema: Input
  readonly perform: (operations: Operations, input: unknown) => Promise<Result>
}

const line = <Input extends TSchema, Result>(
  schema: Input,
  run: (operations: Operations, input: Static<Input>) => Promise<Result>,
): Line<Input, Result> => ({ schema, perform: async (operations, input) => run(operations, check(schema, input)) })

const table = {
  getAccount: line(ForAccountSchema, (operations, input) => operations.getAccount(input)),
  listAccounts: line(ListAccountsSchema, (operations, input) => operations.listAccounts(input)),
  createAccount: line(CreateAccountSchema, async (operations, input) =>
    fresh(await operations.createAccount(as, once(input))),
  ),
  ensureAccount: line(EnsureAccountSchema, (operations, input) => operations.ensureAccount(as, input)),
  updateAccount: line(ChangeAccountSchema, (operations, input) => operations.updateAccount(as, input)),
  deleteAccount: line(ForAccountSchema, (operations, input) => operations.deleteAccount(as, input)),
  getKey: line(ForKeySchema, (operations, input) => operations.getKey(input)),
  listKeys: line(ListKeysSchema, (operations, input) => operations.listKeys(input)),
  createKey: line(CreateKeySchema, async (operations, input) => fresh(await operations.createKey(as, once(input)))),
  rotateKey: line(RotationSchema, async (operations, { id, ...body }) =>
    fresh(await operations.rotateKey(as, { id, ...once(body) })),
  ),
  revokeKey: line(ForKeySchema, (operations, input) => operations.revokeKey(as, input)),
}

type Table = typeof table
export type CommandName = keyof Table

export type CommandOperations = {
  readonly [Name in CommandName]: Table[Name] extends Line<infer Input, infer Result>
    ? (input: Static<Input>) => Promise<Result>
    : never
}

export const commandNames = Object.keys(table) as readonly CommandName[]

/** Throws WeirErrors, also where the input does not have the shape that the command takes. */
export async function performCommand(operations: Operations, name: CommandName, input: unknown): Promise<unknown> {
  return await table[name].perform(operations, input)
}

/** The operations of commands over whatever can ask one by its name. */
export function commandOperationsOver(ask: (name: CommandName, input: unknown) => Promise<unknown>): CommandOperations {
  return Object.fromEntries(commandNames.map(name => [name, (input: unknown) => ask(name, input)])) as CommandOperations
}

const validators = buildValidators(() => ({}))
const compiled = new Map<TSchema, ReturnType<typeof validators.compile>>()

/** By the same checks as the body of a request. */
function check<Input extends TSchema>(schema: Input, input: unknown): Static<Input> {
  const validate = compiled.get(schema) ?? validators.compile(schema, 'body')
  compiled.set(schema, validate)
  const verdict = validate(input)
  if (verdict !== true) throw verdict.error
  return input as Static<Input>
}
