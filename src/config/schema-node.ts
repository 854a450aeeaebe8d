import { ConfigFileSchema } from '../schemas/config/root.ts'

/** What this program reads of a TypeBox schema: the part of JSON Schema that src/schemas/config is written in. */
export interface SchemaNode {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly required?: readonly string[] | undefined
  readonly properties?: Readonly<Record<string, SchemaNode>>
  /** One entry: the pattern of a name, and what stands under such a name. */
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly minItems?: number
  readonly uniqueItems?: boolean
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  /** The unit of a text, which says what the program makes of it; see src/schemas/config/units.ts. */
  readonly 'x-weir-unit'?: 'duration' | 'bytes' | 'money' | 'secret' | 'path' | 'url' | 'hook-url'
  /** The form that `pattern` demands, in words. */
  readonly 'x-weir-form'?: string
  /** The least and the most, of a duration, size or amount in its own unit. */
  readonly 'x-weir-least'?: string
  readonly 'x-weir-most'?: string
}

export const configSchema: SchemaNode = ConfigFileSchema

/** The name a key of weir.yaml has in the program: `maxBody` is `maxBodyBytes` (the type-level rule is in resolved.ts). */
export function runtimeName(key: string, schema: SchemaNode): string {
  if (schema['x-weir-unit'] === 'duration') return `${key}Ms`
  if (schema['x-weir-unit'] === 'bytes') return `${key}Bytes`
  return key
}

/** The pattern of names and the schema of what stands under them, where the schema is a table by name. */
export function namedEntry(schema: SchemaNode): readonly [pattern: string, value: SchemaNode] | undefined {
  return Object.entries(schema.patternProperties ?? {})[0]
}

/** Visits every key of the schema, depth first; `*` stands for a name and for a place in a list. */
export function* walkKeys(
  schema: SchemaNode,
  path: readonly string[] = [],
): Generator<[readonly string[], SchemaNode]> {
  const children: [string, SchemaNode][] = Object.entries(schema.properties ?? {})
  const entry = namedEntry(schema)
  if (entry) children.push(['*', entry[1]])
  if (schema.items && schema.type === 'array') children.push(['*', schema.items])
  for (const [key, child] of children) {
    yield [[...path, key], child]
    if (child['x-weir-unit'] !== 'secret') yield* walkKeys(child, [...path, key])
  }
}
