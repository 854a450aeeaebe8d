/** A loaded configuration in words: every key with its value and where it came from, without a single secret. */
import type { Config, LoadedConfig } from '../config.ts'
import { dotted, type KeyPath } from './place.ts'
import { configSchema, namedEntry, runtimeName, type SchemaNode } from './schema-node.ts'
import { redact, redactHookUrl } from './secrets.ts'
import { formatByteSize, formatDuration } from './units.ts'

export interface Setting {
  /** As in weir.yaml: `server.maxBody`. */
  readonly key: string
  /** As weir.yaml would say it; `***` for a secret. */
  readonly value: string
  readonly origin: string
}

/** Every value that is set, in the order of the schema. */
export function listSettings({ config, origins }: Pick<LoadedConfig, 'config' | 'origins'>): Setting[] {
  return [...leaves(configSchema, config, [])].map(({ path, schema, value }) => {
    const key = dotted(path)
    return { key, value: inWords(schema, value), origin: origins[key] ?? 'default' }
  })
}

/** The configuration with `***` for every secret, also inside URLs, and for what follows the origin of a webhook; the same shape. */
export function redactConfig(config: Config): unknown {
  return redactValue(configSchema, config)
}

interface Leaf {
  readonly path: KeyPath
  readonly schema: SchemaNode
  readonly value: unknown
}

interface Child extends Leaf {
  /** What the value is called in the program. */
  readonly name: string
}

function* leaves(schema: SchemaNode, value: unknown, path: KeyPath): Generator<Leaf> {
  const isList = Array.isArray(value) && schema.items?.type === 'object'
  const isTable = namedEntry(schema) !== undefined
  if (schema['x-weir-unit'] === 'secret' || (schema.type !== 'object' && !isList)) yield { path, schema, value }
  else {
    const below = childrenOf(schema, value, path)
    // An empty table or list is a value of its own; an object without values has none.
    if (below.length === 0 && (isTable || isList)) yield { path, schema, value }
    for (const child of below) yield* leaves(child.schema, child.value, child.path)
  }
}

/** What stands right under a value: by key, by name or by place. */
export function childrenOf(schema: SchemaNode, value: unknown, path: KeyPath): Child[] {
  if (Array.isArray(value)) {
    const { items = {} } = schema
    return value.map((item, index) => ({ name: String(index), path: [...path, index], schema: items, value: item }))
  }
  if (typeof value !== 'object' || value === null) return []
  const entry = namedEntry(schema)
  const inner: Readonly<Record<string, unknown>> = { ...value }
  if (entry) {
    return Object.keys(inner).map(name => ({ name, path: [...path, name], schema: entry[1], value: inner[name] }))
  }
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const name = runtimeName(key, child)
    return inner[name] === undefined ? [] : [{ name, path: [...path, key], schema: child, value: inner[name] }]
  })
}

function redactValue(schema: SchemaNode, value: unknown): unknown {
  if (schema['x-weir-unit'] === 'secret') return redact(String(value))
  if (schema['x-weir-unit'] === 'hook-url') return redactHookUrl(String(value))
  const below = childrenOf(schema, value, []).map(
    child => [child.name, redactValue(child.schema, child.value)] as const,
  )
  if (Array.isArray(value)) return below.map(([, item]) => item)
  return typeof value === 'object' && value !== null ? Object.fromEntries(below) : value
}

function inWords(schema: SchemaNode, value: unknown): string {
  switch (schema['x-weir-unit']) {
    case 'secret':
      return redact(String(value))
    case 'hook-url':
      return redactHookUrl(String(value))
    case 'duration':
      return formatDuration(Number(value))
    case 'bytes':
      return formatByteSize(Number(value))
    default:
      if (Array.isArray(value)) return value.length === 0 ? '(none)' : value.join(', ')
      return typeof value === 'object' && value !== null ? '(none)' : String(value)
  }
}
