/** Commands that have commands of their own, `weir keys create …`, and what these have in common. */
import { parseArgs } from 'node:util'
import type { CommandOperations } from '../admin/command-operations.ts'
import { ensureDataDir } from '../config/data-dir.ts'
import { loadConfig } from '../config.ts'
import { openSession } from '../control/session.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { CommandIo } from './command.ts'
import { asTable } from './table.ts'

/** What was asked for makes no sense; the usage follows. */
export class UsageError extends Error {}

/** What follows the verb: its words, and its flags by their names. */
export interface Arguments {
  readonly words: readonly string[]
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly isJson: boolean
}

export type Action = (operations: CommandOperations, io: CommandIo) => Promise<void>

export interface Verb {
  /** Each takes a value; --json, --help, --config and --data-dir are every verb's. */
  readonly flags: readonly string[]
  /** Throws UsageError before anything is opened. */
  readonly parse: (args: Arguments) => Action
}

export interface Subcommands {
  readonly name: string
  readonly usage: string
  readonly verbs: Readonly<Record<string, Verb>>
}

/** Resolves to the exit code: 0 done, 1 not done, 2 not understood. */
export async function runSubcommand(
  { name, usage, verbs }: Subcommands,
  argv: readonly string[],
  io: CommandIo,
): Promise<number> {
  try {
    const { values, positionals } = readArguments(argv, verbs)
    if (values['help'] === true) {
      io.stdout.write(usage)
      return 0
    }
    const action = actionOf(positionals, values, verbs)
    await perform(action, configFlags(values), io)
    return 0
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // Of what a terminal obeys only the ends of lines may be in a message.
    const message = error.message.replace(/[^\P{C}\n]/gu, '?')
    io.stderr.write(`weir ${name}: ${message}\n${error instanceof UsageError ? usage : ''}`)
    return error instanceof UsageError ? 2 : 1
  }
}

async function perform(action: Action, argv: readonly string[], io: CommandIo): Promise<void> {
  const { config, origins } = loadConfig({ argv, env: io.env })
  // Whoever opens the database would say the same, but not where the folder was named.
  if (config.stores.databaseUrl === undefined) ensureDataDir(config.stores.dataDir, origins['stores.dataDir'])
  const session = await openSession(config)
  try {
    await action(session.operations, io)
  } finally {
    await session.close()
  }
}

type Values = Readonly<Record<string, string | boolean | undefined>>

const switches = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
const configOptions = ['config', 'data-dir'] as const

function readArguments(argv: readonly string[], verbs: Subcommands['verbs']) {
  const names = [...configOptions, ...Object.values(verbs).flatMap(({ flags }) => flags)]
  const options = Object.fromEntries(names.map(name => [name, { type: 'string' as const }]))
  try {
    const args = {
      args: [...argv],
      options: { ...options, ...switches },
      allowPositionals: true,
      strict: true,
    } as const
    const { values, positionals } = parseArgs(args)
    return { values: values as Values, positionals }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function actionOf([verbName = '', ...words]: readonly string[], values: Values, verbs: Subcommands['verbs']): Action {
  const verb = Object.hasOwn(verbs, verbName) ? verbs[verbName] : undefined
  if (verb === undefined) throw new UsageError(`say one of ${Object.keys(verbs).join(', ')}`)
  const own = Object.entries(values).filter(([name]) => !(name in switches) && !configOptions.some(it => it === name))
  const flags: Record<string, string | undefined> = {}
  for (const [name, value] of own) {
    if (!verb.flags.includes(name)) throw new UsageError(`"${verbName}" does not take --${name}`)
    flags[name] = String(value)
  }
  return verb.parse({ words, flags, isJson: values['json'] === true })
}

const configFlags = (values: Values): readonly string[] =>
  configOptions.flatMap(name => (values[name] === undefined ? [] : [`--${name}`, String(values[name])]))

export function takeNoWords({ words }: Arguments, verb: string): void {
  if (words.length > 0) throw new UsageError(`"${verb}" takes flags only`)
}

export const listOf = (text: string): string[] => text.split(',').flatMap(item => item.trim() || [])

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `30d`, `12h`, `15m` in milliseconds; null for anything else. */
export function lengthMsOf(text: string): number | null {
  const [, count, unit] = /^([0-9]{1,6})([mhd])$/.exec(text) ?? []
  return unit === 'm' || unit === 'h' || unit === 'd' ? unitMs[unit] * Number(count) : null
}

/** On a terminal as a table, else as one JSON document. */
export function show(value: object, table: readonly (readonly string[])[], { isJson }: Arguments, io: CommandIo): void {
  const isTable = io.stdout.isTTY === true && !isJson
  io.stdout.write(isTable ? asTable(table) : `${JSON.stringify(value)}\n`)
}

const maxListed = 10_000

/** All pages of a list in the order in which its entries were made; of very many the newest. */
export async function readAll<Item>(
  read: (page: { limit: number; cursor?: string }) => Promise<Page<Item>>,
  { stderr }: CommandIo,
): Promise<readonly Item[]> {
  const found: Item[] = []
  for (let cursor: string | null = null; ; ) {
    const page: Page<Item> = await read({ limit: 100, ...(cursor !== null && { cursor }) })
    found.push(...page.data)
    cursor = page.next_cursor
    if (cursor === null) return found.reverse()
    if (found.length < maxListed) continue
    stderr.write(`There are more: these are the newest ${found.length}.\n`)
    return found.reverse()
  }
}
