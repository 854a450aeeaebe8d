import { configSchema, namedEntry, type SchemaNode } from './schema-node.ts'

type JsonSchema = Readonly<Record<string, unknown>>

/** weir.schema.json as text: what editors check and complete weir.yaml by (JSON Schema draft-07, which all of them know). */
export function jsonSchemaText(): string {
  const { title, ...schema } = publish(configSchema)
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', title, ...schema }, null, 2)}\n`
}

/** The schema without what only this program understands; what that says is put into the description instead. */
function publish(schema: SchemaNode): JsonSchema {
  const kept = Object.entries(schema).filter(([key]) => !key.startsWith('x-weir-') && !dropped.has(key))
  const result: Record<string, unknown> = Object.fromEntries(kept)
  const description = describe(schema)
  if (description !== '') result['description'] = description
  if (schema.properties) {
    result['properties'] = mapValues(schema.properties, publish)
    // What has a default may be left out.
    const required = (schema.required ?? []).filter(key => schema.properties?.[key]?.default === undefined)
    delete result['required']
    if (required.length > 0) result['required'] = required
  }
  const entry = namedEntry(schema)
  if (entry) result['patternProperties'] = { [entry[0]]: publish(entry[1]) }
  if (schema.items) result['items'] = publish(schema.items)
  if (schema.anyOf) result['anyOf'] = schema.anyOf.map(publish)
  return result
}

const dropped: ReadonlySet<string> = new Set(['$id'])

function mapValues(schemas: Readonly<Record<string, SchemaNode>>, map: (schema: SchemaNode) => JsonSchema) {
  return Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, map(schema)]))
}

function describe(schema: SchemaNode): string {
  const { 'x-weir-least': least, 'x-weir-most': most, 'x-weir-form': form } = schema
  const range =
    least !== undefined && most !== undefined
      ? `From ${least} to ${most}.`
      : least !== undefined
        ? `At least ${least}.`
        : most !== undefined
          ? `At most ${most}.`
          : ''
  const names = form === undefined || schema.type !== 'object' ? '' : `Names: ${form}.`
  return [schema.description ?? '', names, range].filter(text => text !== '').join(' ')
}
