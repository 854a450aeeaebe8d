import type { AccountView, UpdateAccount } from '../schemas/admin/accounts.ts'
import type { Command, CommandIo } from './command.ts'
import {
  type Action,
  type Arguments,
  listOf,
  readAll,
  runSubcommand,
  type Subcommands,
  show,
  takeNoWords,
  UsageError,
  type Verb,
} from './subcommands.ts'
import { dayOf } from './table.ts'

const usage = `Usage:
  weir accounts create NAME [--tier TIER] [--limits LIMITS]
  weir accounts list [--tier TIER] [--status active|suspended]
  weir accounts show ACCOUNT
  weir accounts update ACCOUNT [--name NAME] [--tier TIER] [--limits LIMITS]
  weir accounts suspend|activate|delete ACCOUNT
All take --json, --config FILE and --data-dir FOLDER. ACCOUNT is an id or a name. LIMITS is what differs from the tier's, as
in requests_per_minute=100,spend_per_day=5.00,tokens_per_day=none; an empty text takes all of them away.
`

const subcommands: Subcommands = {
  name: 'accounts',
  usage,
  verbs: {
    create: { flags: ['name', 'tier', 'limits'], parse: parseCreate },
    list: { flags: ['tier', 'status'], parse: parseList },
    show: { flags: [], parse: parseShow },
    update: { flags: ['name', 'tier', 'limits'], parse: args => change('update', args, changesOf(args)) },
    suspend: statusVerb('suspend', 'suspended'),
    activate: statusVerb('activate', 'active'),
    delete: { flags: [], parse: parseDelete },
  },
}

export const accountsCommand: Command = {
  name: 'accounts',
  summary: 'create, list, change, suspend and delete accounts',
  run: (argv, io) => runSubcommand(subcommands, argv, io),
}

function parseCreate(args: Arguments): Action {
  const { name: flagged, ...others } = changesOf(args)
  const name = flagged === undefined || args.words.length > 0 ? accountOf(args, 'create') : flagged
  if (flagged !== undefined && args.words.length > 0) throw new UsageError('the account has two names')
  return async (operations, io) => showAccount(await operations.createAccount({ name, ...others }), args, io)
}

function parseList(args: Arguments): Action {
  takeNoWords(args, 'list')
  const { tier } = args.flags
  const status = statusOf(args)
  return async (operations, io) => {
    const filter = { ...(tier !== undefined && { tier }), ...(status !== undefined && { status }) }
    const data = await readAll(page => operations.listAccounts({ ...filter, ...page }), io)
    const rows = data.length === 0 ? [['There are no accounts.']] : [head, ...data.map(rowOf)]
    show({ object: 'list', data }, rows, args, io)
  }
}

function statusOf({ flags: { status } }: Arguments): AccountView['status'] | undefined {
  if (status === undefined || status === 'active' || status === 'suspended') return status
  throw new UsageError('--status is active or suspended')
}

function parseShow(args: Arguments): Action {
  const account = accountOf(args, 'show')
  return async (operations, io) => showAccount(await operations.getAccount({ account }), args, io)
}

function parseDelete(args: Arguments): Action {
  const account = accountOf(args, 'delete')
  return async (operations, io) => showAccount(await operations.deleteAccount({ account }), args, io)
}

function statusVerb(verb: string, status: 'active' | 'suspended'): Verb {
  return { flags: [], parse: args => change(verb, args, { status }) }
}

function change(verb: string, args: Arguments, changes: UpdateAccount): Action {
  const account = accountOf(args, verb)
  if (Object.keys(changes).length === 0) throw new UsageError(`"${verb}" needs something to change`)
  return async (operations, io) => showAccount(await operations.updateAccount({ account, changes }), args, io)
}

function accountOf({ words: [account, ...more] }: Arguments, verb: string): string {
  if (account !== undefined && more.length === 0) return account
  throw new UsageError(`"${verb}" takes one account`)
}

function changesOf({ flags: { name, tier, limits } }: Arguments): UpdateAccount {
  return {
    ...(name !== undefined && { name }),
    ...(tier !== undefined && { tier }),
    ...(limits !== undefined && { limits: limitsOf(limits) }),
  }
}

/** Whether there are such limits, and what they may be, is for the operation to say. */
function limitsOf(text: string): NonNullable<UpdateAccount['limits']> {
  const entries = listOf(text).map(item => {
    const [, name, value] = /^([a-z_]+)=(none|[0-9]+(?:\.[0-9]+)?)$/.exec(item) ?? []
    if (name === undefined || value === undefined) throw new UsageError(`--limits has no NAME=VALUE in "${item}"`)
    if (value === 'none') return [name, null]
    return [name, name.startsWith('spend_') ? value : Number(value)]
  })
  return Object.fromEntries(entries)
}

function showAccount(account: AccountView, args: Arguments, io: CommandIo): void {
  show(account, [head, rowOf(account)], args, io)
}

const head = ['ID', 'NAME', 'TIER', 'STATUS', 'LIMITS', 'CREATED']

function rowOf(account: AccountView): readonly string[] {
  const limits = Object.entries(account.limits).map(([name, limit]) => `${name}=${limit ?? 'none'}`)
  return [
    account.id,
    account.name,
    account.tier,
    account.deleted_at === null ? account.status : `deleted ${dayOf(account.deleted_at, '')}`,
    limits.join(',') || "the tier's",
    dayOf(account.created_at, ''),
  ]
}
