/** The README's table of the configuration, written from the program's own tables. */
import { environmentNames, variables } from '../../src/config/environment.ts'
import { flags } from '../../src/config/flags.ts'
import { configSchema, type SchemaNode } from '../../src/config/schema-node.ts'
import { tableRow } from './table.ts'

/** Tables by name, whose keys depend on the names: weir.example.yaml explains those. */
const tables = new Set(['backends', 'models', 'tiers', 'webhooks'])

/** What has a flag or a variable and no key of its own. */
const keyless = [
  {
    flag: 'backend',
    variable: 'WEIR_BACKEND_URL',
    text: 'Inference servers, comma separated; they offer every model they list.',
  },
  {
    flag: undefined,
    variable: 'WEIR_BACKEND_API_KEY',
    text: 'Sent to the servers of `WEIR_BACKEND_URL` as a bearer token.',
  },
  { flag: 'config', variable: 'WEIR_CONFIG', text: 'The file to read instead of `./weir.yaml`.' },
] as const

interface Row {
  readonly key: string
  readonly variable: string
  readonly flag: string
  readonly byDefault: string
  readonly text: string
}

function* leaves(schema: SchemaNode, path: readonly string[]): Generator<[string, SchemaNode]> {
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (path.length === 0 && tables.has(name)) continue
    if (child.type === 'object') yield* leaves(child, [...path, name])
    else yield [[...path, name].join('.'), child]
  }
}

function variableName(name: string): string {
  return environmentNames().includes(`${name}_FILE`) ? `\`${name}\`, \`${name}_FILE\`` : `\`${name}\``
}

function flagName(name: string): string {
  const flag = flags.find(known => known.name === name)
  return flag === undefined ? '' : `\`--${flag.name} ${flag.value}\``
}

function rowOf(key: string, schema: SchemaNode): Row {
  const variable = variables.find(({ path }) => path?.join('.') === key)?.name
  const flag = flags.find(({ path }) => path?.join('.') === key)?.name
  const { default: value, description = '' } = schema
  const isNone = value === undefined || (Array.isArray(value) && value.length === 0)
  return {
    key: `\`${key}\``,
    variable: variable === undefined ? '' : variableName(variable),
    flag: flag === undefined ? '' : flagName(flag),
    byDefault: isNone ? '' : `\`${String(value)}\``,
    text: description,
  }
}

/** Every row, as it has to stand in the README. */
export function configurationTable(): string {
  const rows = [
    ...[...leaves(configSchema, [])].map(([key, schema]) => rowOf(key, schema)),
    ...keyless.map(({ flag, variable, text }) => {
      const flagText = flag === undefined ? '' : flagName(flag)
      return { key: '', variable: variableName(variable), flag: flagText, byDefault: '', text }
    }),
  ]
  return [
    tableRow(['weir.yaml', 'environment', 'flag', 'default', 'what it is']),
    tableRow(['---', '---', '---', '---', '---']),
    ...rows.map(({ key, variable, flag, byDefault, text }) => tableRow([key, variable, flag, byDefault, text])),
  ].join('\n')
}

/** Variables and flags that the table does not show. */
export function leftOut(table: string): string[] {
  const names = [...variables.map(({ name }) => `\`${name}\``), ...flags.map(({ name }) => `\`--${name} `)]
  return names.filter(name => !table.includes(name))
}
