import type { CreatedKeyView, CreateKey, KeyView } from '../schemas/admin/keys.ts'
import { type ScopeName, scopeNames } from '../schemas/config/tiers.ts'
import type { Command, CommandIo } from './command.ts'
import {
  type Action,
  type Arguments,
  lengthMsOf,
  listOf,
  readAll,
  runSubcommand,
  type Subcommands,
  show,
  takeNoWords,
  UsageError,
} from './subcommands.ts'
import { dayOf, printable } from './table.ts'

const usage = `Usage:
  weir keys create --account NAME [--tier TIER] [--name NAME] [--scopes a,b] [--models x,y] [--expires 30d]
  weir keys list [--account NAME]
  weir keys show ID
  weir keys rotate ID [--grace 24h] [--name NAME]
  weir keys revoke ID
All take --json, --config FILE and --data-dir FOLDER. "create" makes the account where there is none, of the tier free
unless --tier says otherwise. "create" and "rotate" write the new key to stdout, alone on one line, and never again; after
"rotate" the old one works for the grace period too.
`

/**
 * With --json stdout is one JSON document; without it `create` and `rotate` write the key alone, `list` and `show` a table
 * where stdout is a terminal.
 */
const subcommands: Subcommands = {
  name: 'keys',
  usage,
  verbs: {
    create: { flags: ['account', 'tier', 'name', 'scopes', 'models', 'expires'], parse: parseCreate },
    list: { flags: ['account'], parse: parseList },
    show: { flags: [], parse: parseShow },
    rotate: { flags: ['grace', 'name'], parse: parseRotate },
    revoke: { flags: [], parse: parseRevoke },
  },
}

export const keysCommand: Command = {
  name: 'keys',
  summary: 'create, list, rotate and revoke API keys',
  run: (argv, io) => runSubcommand(subcommands, argv, io),
}

function parseCreate(args: Arguments): Action {
  takeNoWords(args, 'create')
  const { account: name, tier } = args.flags
  if (name === undefined) throw new UsageError('"create" needs --account NAME')
  const grant = grantOf(args)
  return async (operations, io) => {
    const { id } = await operations.ensureAccount({ name, ...(tier !== undefined && { tier }), key: grant })
    showSecret(await operations.createKey({ account: id, ...grant }), args, io)
  }
}

function grantOf({ flags: { name, scopes, models, expires } }: Arguments): Omit<CreateKey, 'account'> {
  return {
    ...(name !== undefined && { name }),
    ...(scopes !== undefined && { scopes: listOf(scopes).map(asScope) }),
    ...(models !== undefined && { models: listOf(models) }),
    ...(expires !== undefined && { expires_at: endOf(expires) }),
  }
}

function asScope(text: string): ScopeName {
  const scope = scopeNames.find(name => name === text)
  if (scope === undefined) throw new UsageError(`there is no scope "${text}"; there are ${scopeNames.join(', ')}`)
  return scope
}

/** From now on, or a time in ISO 8601. */
function endOf(text: string): string {
  const lengthMs = lengthMsOf(text)
  const end = lengthMs === null ? new Date(text) : new Date(Date.now() + lengthMs)
  if (Number.isNaN(end.getTime())) throw new UsageError('--expires is a length such as 30d, 12h, 15m, or a date')
  return end.toISOString()
}

function parseList(args: Arguments): Action {
  takeNoWords(args, 'list')
  const { account } = args.flags
  return async (operations, io) => {
    const filter = account === undefined ? {} : { account }
    const data = await readAll(page => operations.listKeys({ ...filter, ...page }), io)
    const rows = data.length === 0 ? [['There are no keys.']] : [head, ...data.map(rowOf)]
    show({ object: 'list', data }, rows, args, io)
  }
}

function parseShow(args: Arguments): Action {
  const id = idOf(args, 'show')
  return async (operations, io) => {
    const key = await operations.getKey({ id })
    show(key, [head, rowOf(key)], args, io)
  }
}

function parseRotate(args: Arguments): Action {
  const id = idOf(args, 'rotate')
  const { grace, name } = args.flags
  const graceMs = grace === undefined ? undefined : lengthMsOf(grace)
  if (graceMs === null) throw new UsageError('--grace is a length such as 24h, 15m or 7d')
  return async (operations, io) => {
    const rotation = {
      ...(name !== undefined && { name }),
      ...(graceMs !== undefined && { grace_seconds: graceMs / 1000 }),
    }
    const fresh = await operations.rotateKey({ id, ...rotation })
    showSecret(fresh, args, io)
    if (args.isJson) return
    const old = await operations.getKey({ id })
    io.stderr.write(`It replaces ${id}, which works until ${old.expires_at}.\n`)
  }
}

function parseRevoke(args: Arguments): Action {
  const id = idOf(args, 'revoke')
  return async (operations, { stdout }) => {
    const revoked = await operations.revokeKey({ id })
    stdout.write(args.isJson ? `${JSON.stringify(revoked)}\n` : `${id} revoked at ${revoked.revoked_at}\n`)
  }
}

/** A whole key may have been pasted: it is not repeated. */
function idOf({ words: [id, ...more] }: Arguments, verb: string): string {
  if (id !== undefined && more.length === 0 && /^[0-9A-Za-z]{16}$/.test(id)) return id
  throw new UsageError(`"${verb}" takes the id of one key, as "list" shows it`)
}

function showSecret(created: CreatedKeyView, { isJson }: Arguments, { stdout, stderr }: CommandIo): void {
  if (isJson) {
    stdout.write(`${JSON.stringify(created)}\n`)
    return
  }
  stdout.write(`${created.key}\n`)
  const until = created.expires_at === null ? '' : `, until ${created.expires_at}`
  const account = printable(created.account.name)
  stderr.write(`Key ${created.id} of account ${account} (${created.tier})${until}. It is not shown again.\n`)
}

const head = ['ID', 'ACCOUNT', 'TIER', 'NAME', 'SCOPES', 'MODELS', 'CREATED', 'EXPIRES', 'LAST USED', 'STATUS']

function rowOf(key: KeyView): readonly string[] {
  return [
    key.id,
    key.account.name,
    key.tier,
    key.name,
    key.scopes?.join(',') ?? "the tier's",
    key.models?.join(',') ?? "the tier's",
    dayOf(key.created_at, ''),
    dayOf(key.expires_at, 'never'),
    dayOf(key.last_used_at, 'never'),
    key.revoked_at === null ? key.status : `revoked ${dayOf(key.revoked_at, '')}`,
  ]
}
