/** `weir migrate`: brings the database to the schema of this version, before its servers start. */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Sql } from 'postgres'
import { keepsQuestions } from '../cache/question-store.ts'
import { loadConfig } from '../config.ts'
import { openDatabase } from '../store/database.ts'
import { isUnavailable, withDeadline } from '../store/deadline.ts'
import { compareSchema, migrate, type SchemaDifference } from '../store/migrate.ts'
import { prepareVectors } from '../store/vector-extension.ts'
import type { Command, CommandIo } from './command.ts'

const usage = `Usage: weir migrate [--check] [--config FILE] [--data-dir FOLDER] [--json]

Brings the database to the schema of this version, also while servers of this version or of the one before use it. It waits a
minute for a database that is down. The embedded database needs no command: its server does it when it starts.

  --check   change nothing; exit code 1 where something is missing
`

const patienceMs = 60_000
const retryMs = 500
/** One that adds up years of usage may take its time. */
const migrateTimeoutMs = 3_600_000

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'bring the database to the schema of this version',
  run,
}

async function run(argv: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { values } = read(argv)
    if (values.help === true) {
      io.stdout.write(usage)
      return 0
    }
    const flags = (['config', 'data-dir'] as const).flatMap(flag => {
      const value = values[flag]
      return value === undefined ? [] : [`--${flag}`, value]
    })
    const { config } = loadConfig({ argv: flags, env: io.env })
    const database = await openDatabase(config.stores)
    try {
      await untilReachable(database.sql, io)
      const isCheck = values.check === true
      const exitCode = await perform(database.sql, { isCheck, isJson: values.json === true }, io)
      if (!isCheck && keepsQuestions(config)) await makeVectorTables(database.sql, io)
      return exitCode
    } finally {
      await database.close()
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    io.stderr.write(`weir migrate: ${error.message.replace(/[^\P{C}\n]/gu, '?')}\n`)
    return isArgumentError(error) ? 2 : 1
  }
}

const read = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    options: {
      check: { type: 'boolean' },
      config: { type: 'string' },
      'data-dir': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })

const isArgumentError = (error: Error): boolean => 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

/** An installation may start its database and this at once. */
async function untilReachable(sql: Sql, { stderr }: CommandIo): Promise<void> {
  const endsAtMs = performance.now() + patienceMs
  for (let tries = 1; ; tries += 1) {
    try {
      await withDeadline(sql`select 1`, patienceMs)
      return
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > endsAtMs) throw error
      if (tries === 1) stderr.write('weir migrate: the database is down; trying again for a minute\n')
      await delay(retryMs)
    }
  }
}

interface Asked {
  readonly isCheck: boolean
  readonly isJson: boolean
}

async function perform(sql: Sql, { isCheck, isJson }: Asked, { stdout }: CommandIo): Promise<number> {
  const applied = isCheck ? [] : await withDeadline(migrate(sql), migrateTimeoutMs)
  const { missing, unknown } = await withDeadline(compareSchema(sql))
  if (isJson) stdout.write(`${JSON.stringify({ applied, missing, unknown })}\n`)
  else stdout.write(inWords(applied, { missing, unknown }))
  return missing.length === 0 ? 0 : 1
}

/** Those of the semantic cache, for servers that may not make any; a database that cannot have them serves all the rest. */
async function makeVectorTables(sql: Sql, { stderr }: CommandIo): Promise<void> {
  const support = await prepareVectors(sql)
  if (support.kind === 'unusable') stderr.write(`weir migrate: the semantic cache stays off: ${support.reason}\n`)
}

function inWords(applied: readonly string[], { missing, unknown }: Omit<SchemaDifference, 'isNew'>): string {
  const lines = [
    ...applied.map(name => `applied ${name}`),
    ...missing.map(name => `missing ${name}`),
    ...unknown.map(name => `of a newer version: ${name}`),
  ]
  if (missing.length === 0) lines.push('The database has the schema of this version.')
  return lines.map(line => `${line}\n`).join('')
}
