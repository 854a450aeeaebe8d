import type { PathStep } from '../../src/schemas/param-path.ts'

/** A schema as far as the walk reads it. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode | boolean
  readonly propertyNames?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
}

/** One place in a schema: how to build a body that is valid but for the value put there. */
export interface Place {
  readonly path: readonly PathStep[]
  readonly schema: SchemaNode
  readonly put: (value: unknown) => unknown
}

const texts = ['a', '1', 'AAAAAAAAAAAAAAAA', 'data:image/png;base64,AAAAAAAAAAAAAAAA']

/** A value that fits, with what is required and nothing else. */
export function sample(schema: SchemaNode): unknown {
  const branch = schema.anyOf?.[0] ?? schema.oneOf?.[0]
  if (branch !== undefined) return sample(branch)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  switch (typesOf(schema)[0]) {
    case 'string':
      return sampleText(schema)
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return false
    case 'array':
      return schema.items === undefined ? [] : [sample(schema.items)]
    case 'null':
      return null
    default:
      return Object.fromEntries((schema.required ?? []).map(name => [name, sample(schema.properties?.[name] ?? {})]))
  }
}

export function sampleText({ pattern }: SchemaNode): string {
  const found = texts.find(text => pattern === undefined || new RegExp(pattern, 'u').test(text))
  if (found === undefined) throw new Error(`no sample fits ${pattern}`)
  return found
}

export function typesOf(schema: SchemaNode): readonly string[] {
  const branches = schema.anyOf ?? (schema.type === undefined ? schema.oneOf : undefined)
  if (branches !== undefined) return branches.flatMap(typesOf)
  if (typeof schema.type === 'string') return [schema.type]
  return schema.type ?? []
}

/** Every place in a schema, the whole included, through all branches. */
export function* walk(schema: SchemaNode, at: Omit<Place, 'schema'>): Generator<Place> {
  const { path, put } = at
  yield { path, schema, put }
  for (const branch of schema.anyOf ?? schema.oneOf ?? []) {
    for (const place of walk(branch, at)) if (place.path.length > path.length) yield place
  }
  const whole = schema.properties === undefined ? {} : (sample(schema) as object)
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    yield* walk(inner, { path: [...path, name], put: value => put({ ...whole, [name]: value }) })
  }
  if (schema.items !== undefined) yield* walk(schema.items, { path: [...path, 0], put: value => put([value]) })
  if (typeof schema.additionalProperties === 'object') {
    const name = sampleText(schema.propertyNames ?? {})
    yield* walk(schema.additionalProperties, { path: [...path, name], put: value => put({ [name]: value }) })
  }
}
