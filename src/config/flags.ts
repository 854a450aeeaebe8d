import { parseArgs } from 'node:util'
import { parseInteger, splitList } from './environment.ts'
import { nearest } from './nearest.ts'
import type { KeyPath, Place } from './place.ts'
import { type Problem, problemAt } from './problem.ts'
import { type Written, type WrittenMap, withValueAt, writtenFrom } from './written.ts'

interface Flag {
  readonly name: string
  /** What follows it, for help texts. */
  readonly value: string
  readonly summary: string
  /** Its key; null for what names the file or makes backends. */
  readonly path: KeyPath | null
  readonly integer?: true
}

/** Every flag of the configuration; each takes a value, and all commands that load the configuration know them. */
export const flags: readonly Flag[] = [
  { name: 'config', value: 'FILE', summary: 'read FILE instead of ./weir.yaml', path: null },
  { name: 'host', value: 'ADDRESS', summary: 'address to listen on', path: ['server', 'host'] },
  { name: 'port', value: 'PORT', summary: 'port to listen on', path: ['server', 'port'], integer: true },
  { name: 'data-dir', value: 'FOLDER', summary: 'where to keep data', path: ['stores', 'dataDir'] },
  { name: 'model', value: 'FILE.gguf', summary: 'run this model by itself', path: ['engine', 'model'] },
  {
    name: 'backend',
    value: 'URL',
    summary: 'an inference server, or several with commas; may be repeated',
    path: null,
  },
  { name: 'log-level', value: 'LEVEL', summary: 'the least that is logged', path: ['log', 'level'] },
  {
    name: 'internal-port',
    value: 'PORT',
    summary: 'a second listener for metrics, probes and admin',
    path: ['server', 'internalPort'],
    integer: true,
  },
  {
    name: 'internal-host',
    value: 'ADDRESS',
    summary: 'address of that second listener',
    path: ['server', 'internalHost'],
  },
]

export interface FlagSource {
  /** What the flags say, by name; of a repeated one the last, of --backend all. */
  readonly values: ReadonlyMap<string, Written>
  readonly problems: readonly Problem[]
}

const options = Object.fromEntries(flags.map(({ name }) => [name, { type: 'string' as const }]))

/** Reads the arguments, the program's name not among them. */
export function readFlags(argv: readonly string[]): FlagSource {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const values = new Map<string, Written>()
  const backends: Written[] = []
  const problems: Problem[] = []
  let unknownAt = Number.NaN
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional' && token.index === unknownAt + 1) continue
    // A stray argument may be a secret that somebody meant to pass, so it is not repeated.
    if (token.kind === 'positional') {
      const complaint = { problem: 'An argument here belongs to no flag.', fix: `Known flags: ${flagList()}.` }
      problems.push(problemAt({ from: 'flag', name: `argument ${token.index + 1}` }, [], complaint))
      continue
    }
    const at: Place = { from: 'flag', name: token.rawName }
    const flag = flags.find(({ name }) => name === token.name && token.rawName === `--${name}`)
    if (flag === undefined) {
      problems.push(unknownFlag(at, token.rawName))
      unknownAt = token.index
    } else if (token.value === undefined || token.value === '' || swallowed(token.value, token.inlineValue)) {
      const complaint = { problem: 'The flag has no value.', fix: `Write ${token.rawName} ${flag.value}.` }
      problems.push(problemAt(at, flag.path ?? [], complaint))
    } else if (flag.name === 'backend') {
      backends.push(...splitList(token.value).map(url => writtenFrom(url, at)))
    } else values.set(flag.name, writtenFrom(flag.integer ? parseInteger(token.value) : token.value, at))
  }
  if (backends[0]) values.set('backend', { kind: 'list', at: backends[0].at, items: backends })
  return { values, problems }
}

/** Puts the flags that stand for one key each over everything else. */
export function applyFlags(tree: WrittenMap, values: ReadonlyMap<string, Written>): WrittenMap {
  let result = tree
  for (const { name, path } of flags) {
    const value = values.get(name)
    if (path !== null && value !== undefined) result = withValueAt(result, path, value)
  }
  return result
}

/** Whether somebody wants to read rather than run. */
export const asksForHelp = (argv: readonly string[]) => argv.includes('--help') || argv.includes('-h')

/** What there is to say after a command: its usage and what it does, flags of its own, and those of the configuration. */
export function helpText(usage: string, own: readonly Pick<Flag, 'name' | 'value' | 'summary'>[] = []): string {
  const help = { name: 'help', value: '', summary: 'show this' }
  const rows = [...own, ...flags, help].map(({ name, value, summary }) => ({ left: `--${name} ${value}`, summary }))
  const width = Math.max(...rows.map(({ left }) => left.length))
  const lines = rows.map(({ left, summary }) => `  ${left.padEnd(width)}  ${summary}`)
  return `${usage}\n\n${lines.join('\n')}\n\nSecrets have no flags: set them in the environment or in weir.yaml.\n`
}

const flagList = () => flags.map(({ name }) => `--${name}`).join(', ')

/** `--host --port 1`: the next flag was taken for a value. */
const swallowed = (value: string, inline: boolean | undefined) => inline !== true && value.startsWith('--')

function unknownFlag(at: Place, given: string): Problem {
  const near = nearest(
    given.replace(/^-+/, ''),
    flags.map(({ name }) => name),
  )
  const secret = /key|secret|pepper|password|token|database|redis/i.test(given)
  const fix =
    near !== undefined
      ? `Did you mean --${near}?`
      : secret
        ? 'Secrets have no flags, because others see them in the process list; set them in the environment.'
        : `Known flags: ${flagList()}.`
  return problemAt(at, [], { problem: 'There is no such flag.', fix })
}
