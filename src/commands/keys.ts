import { parseArgs } from 'node:util'
import { ensureDataDir } from '../config/data-dir.ts'
import { loadConfig } from '../config.ts'
import type { Operations } from '../control/operations.ts'
import { openSession } from '../control/session.ts'
import type { CreatedKey, CreateKey, KeyView } from '../schemas/admin/keys.ts'
import { type ScopeName, scopeNames } from '../schemas/config/tiers.ts'
import type { Command, CommandIo } from './command.ts'

const usage = `Usage:
  weir keys create --account NAME [--tier TIER] [--name NAME] [--scopes a,b] [--models x,y] [--expires 30d] [--json]
  weir keys list [--account NAME] [--json]
  weir keys revoke ID [--json]
All take --config FILE and --data-dir FOLDER. "create" writes the new key to stdout, alone on one line, and never again.
`

const options = {
  account: { type: 'string' },
  tier: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  models: { type: 'string' },
  expires: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  config: { type: 'string' },
  'data-dir': { type: 'string' },
} as const

/** What was asked for makes no sense; the usage follows. */
class UsageError extends Error {}

type Flags = ReturnType<typeof readArguments>['values']

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * `weir keys create | list | revoke`. Resolves to the exit code: 0 done, 1 not done, 2 not understood.
 * With --json stdout is one JSON document; without it `create` writes the key alone, the others a table.
 */
async function runKeys(argv: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { values, positionals } = readArguments(argv)
    if (values.help) {
      io.stdout.write(usage)
      return 0
    }
    const action = actionOf(positionals, values)
    const { config, origins } = loadConfig({ argv: configFlags(values), env: io.env })
    // Whoever opens the database would say the same, but not where the folder was named.
    if (config.stores.databaseUrl === undefined) ensureDataDir(config.stores.dataDir, origins['stores.dataDir'])
    const session = await openSession(config)
    try {
      await action(session.operations, io)
    } finally {
      await session.close()
    }
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`weir keys: ${error.message}\n${usage}`)
      return 2
    }
    if (error instanceof Error) {
      io.stderr.write(`weir keys: ${error.message}\n`)
      return 1
    }
    throw error
  }
}

export const keysCommand: Command = {
  name: 'keys',
  summary: 'create, list and revoke API keys',
  run: runKeys,
}

function configFlags(values: Flags): readonly string[] {
  const named = (['config', 'data-dir'] as const).map(name => ({ name, value: values[name] }))
  return named.flatMap(({ name, value }) => (value === undefined ? [] : [`--${name}`, value]))
}

type Action = (operations: Operations, io: CommandIo) => Promise<void>

function actionOf([verb, ...rest]: readonly string[], values: Flags): Action {
  switch (verb) {
    case 'create': {
      if (rest.length > 0) throw new UsageError('"create" takes flags only')
      const input = creationOf(values)
      return async (operations, io) => showCreated(await operations.createKey(input), values.json, io)
    }
    case 'list': {
      if (rest.length > 0) throw new UsageError('"list" takes flags only')
      const input = values.account === undefined ? {} : { account: values.account }
      return async (operations, io) => showList(await operations.listKeys(input), values.json, io)
    }
    case 'revoke': {
      const [id] = rest
      // A whole key may have been pasted: it is not repeated.
      if (id === undefined || rest.length > 1 || !/^[0-9A-Za-z]{16}$/.test(id)) {
        throw new UsageError('"revoke" takes the id of one key, as "list" shows it')
      }
      return async (operations, io) => {
        const revoked = await operations.revokeKey({ id })
        io.stdout.write(values.json ? `${JSON.stringify(revoked)}\n` : `${id} revoked at ${revoked.revoked_at}\n`)
      }
    }
    default:
      throw new UsageError('say "create", "list" or "revoke"')
  }
}

function creationOf(values: Flags): CreateKey {
  if (values.account === undefined) throw new UsageError('"create" needs --account NAME')
  return {
    account: values.account,
    ...(values.tier !== undefined && { tier: values.tier }),
    ...(values.name !== undefined && { name: values.name }),
    ...(values.scopes !== undefined && { scopes: listOf(values.scopes).map(asScope) }),
    ...(values.models !== undefined && { models: listOf(values.models) }),
    ...(values.expires !== undefined && { expires_at: endOf(values.expires) }),
  }
}

function listOf(text: string): string[] {
  return text.split(',').flatMap(item => item.trim() || [])
}

function asScope(text: string): ScopeName {
  const scope = scopeNames.find(name => name === text)
  if (scope === undefined) throw new UsageError(`there is no scope "${text}"; there are ${scopeNames.join(', ')}`)
  return scope
}

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `30d`, `12h`, `15m` from now, or a time in ISO 8601. */
function endOf(text: string): string {
  const [, count, unit] = /^([0-9]{1,6})([mhd])$/.exec(text) ?? []
  const length = unit === 'm' || unit === 'h' || unit === 'd' ? unitMs[unit] * Number(count) : null
  const end = length === null ? new Date(text) : new Date(Date.now() + length)
  if (Number.isNaN(end.getTime())) throw new UsageError('--expires is a length such as 30d, 12h, 15m, or a date')
  return end.toISOString()
}

function showCreated(created: CreatedKey, isJson: boolean, { stdout, stderr }: CommandIo): void {
  if (isJson) {
    stdout.write(`${JSON.stringify(created)}\n`)
    return
  }
  stdout.write(`${created.key}\n`)
  const until = created.expires_at === null ? '' : `, until ${created.expires_at}`
  stderr.write(`Key ${created.id} of account ${created.account} (${created.tier})${until}. It is not shown again.\n`)
}

function showList(keys: readonly KeyView[], isJson: boolean, { stdout }: CommandIo): void {
  stdout.write(isJson ? `${JSON.stringify({ object: 'list', data: keys })}\n` : asTable(keys))
}

function asTable(keys: readonly KeyView[]): string {
  if (keys.length === 0) return 'There are no keys.\n'
  const rows = [
    ['ID', 'ACCOUNT', 'TIER', 'NAME', 'SCOPES', 'MODELS', 'CREATED', 'STATE'],
    ...keys.map(key => [
      key.id,
      key.account,
      key.tier,
      key.name,
      key.scopes?.join(',') ?? "the tier's",
      key.models?.join(',') ?? "the tier's",
      key.created_at.slice(0, 10),
      stateOf(key, Date.now()),
    ]),
  ]
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), [])
  return rows
    .map(
      row =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function stateOf(key: KeyView, nowMs: number): string {
  if (key.revoked_at !== null) return `revoked ${key.revoked_at.slice(0, 10)}`
  if (key.expires_at === null) return 'active'
  return Date.parse(key.expires_at) <= nowMs ? 'expired' : `until ${key.expires_at.slice(0, 10)}`
}
