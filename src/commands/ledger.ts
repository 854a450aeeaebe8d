/** `weir ledger`: what waits in the spool of usage events, whether it is whole, and how it gets out without a server. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from '../config.ts'
import { type InspectedLedger, inspectLedger } from '../ledger/inspect-ledger.ts'
import { replayLedger } from '../ledger/replay-ledger.ts'
import type { Command, CommandIo } from './command.ts'
import { asTable } from './table.ts'

const usage = `Usage: weir ledger <status|verify|replay> [--dir FOLDER] [--config FILE] [--data-dir FOLDER] [--json]

  status   what waits for the database, also beside a running server
  verify   read all of it and check every record; exit code 1 where something is damaged or missing
  replay   store what waits, as a server would; not beside a running one

  --dir FOLDER   a ledger elsewhere, such as that of a machine that is gone; else the one in the data folder
`

interface Asked {
  readonly config: Config
  readonly folder: string
  readonly isJson: boolean
}

type Verb = (asked: Asked, io: CommandIo) => Promise<number>

const verbs: Readonly<Record<string, Verb>> = { status: show, verify, replay }

export const ledgerCommand: Command = {
  name: 'ledger',
  summary: 'look at the usage that waits for the database, and store it',
  run,
}

async function run(argv: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { values, positionals } = read(argv)
    if (values.help === true) {
      io.stdout.write(usage)
      return 0
    }
    const [name = '', ...others] = positionals
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
    if (verb === undefined || others.length > 0) {
      io.stderr.write(`weir ledger: say one of ${Object.keys(verbs).join(', ')}\n${usage}`)
      return 2
    }
    if (values.dir === '') {
      io.stderr.write(`weir ledger: --dir is the name of a folder\n${usage}`)
      return 2
    }
    const flags = (['config', 'data-dir'] as const).flatMap(flag => {
      const value = values[flag]
      return value === undefined ? [] : [`--${flag}`, value]
    })
    const { config } = loadConfig({ argv: flags, env: io.env })
    const folder = values.dir ?? join(config.stores.dataDir, 'ledger')
    return await verb({ config, folder, isJson: values.json === true }, io)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    io.stderr.write(`weir ledger: ${error.message.replace(/[^\P{C}\n]/gu, '?')}\n`)
    return isArgumentError(error) ? 2 : 1
  }
}

const read = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      dir: { type: 'string' },
      config: { type: 'string' },
      'data-dir': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })

const isArgumentError = (error: Error): boolean => 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

async function show(asked: Asked, { stdout }: CommandIo): Promise<number> {
  const found = await inspectLedger(asked.folder)
  stdout.write(asked.isJson ? `${JSON.stringify(found)}\n` : asTable(rowsOf(found)))
  return 0
}

async function verify(asked: Asked, io: CommandIo): Promise<number> {
  const found = await inspectLedger(asked.folder)
  const damaged = found.segments.filter(({ damage }) => damage !== null)
  const isWhole = damaged.length === 0 && found.missing.length === 0 && found.cursor !== 'damaged'
  if (asked.isJson) io.stdout.write(`${JSON.stringify({ ok: isWhole, ...found })}\n`)
  else {
    for (const { number, damage } of damaged) {
      io.stdout.write(`segment ${number} is damaged at byte ${damage?.offset}: ${damage?.reason}\n`)
    }
    for (const { from, to } of found.missing) io.stdout.write(`segments ${from} to ${to} are missing\n`)
    if (found.cursor === 'damaged') io.stdout.write('the cursor is damaged: all there is will be stored again\n')
    if (isWhole) io.stdout.write(`${found.segments.length} segments, every record is whole\n`)
  }
  return isWhole ? 0 : 1
}

async function replay(asked: Asked, { stdout, stderr }: CommandIo): Promise<number> {
  const { stored, quarantined, left } = await replayLedger(asked.config, asked.folder, message =>
    stderr.write(`${message}\n`),
  )
  const outcome = { stored, quarantined, left }
  if (asked.isJson) stdout.write(`${JSON.stringify(outcome)}\n`)
  else stdout.write(asTable([['STORED', 'QUARANTINED', 'LEFT'], [stored, quarantined, left].map(String)]))
  return left === 0 ? 0 : 1
}

const rowsOf = ({ waiting, open, bytes, oldestAtMs, segments, quarantined }: InspectedLedger) => [
  ['WAITING', 'OPEN', 'BYTES', 'SEGMENTS', 'OLDEST', 'QUARANTINED FILES'],
  [
    ...[waiting, open, bytes, segments.length].map(String),
    oldestAtMs === null ? '(none)' : new Date(oldestAtMs).toISOString(),
    String(quarantined.length),
  ],
]
