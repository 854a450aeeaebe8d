import fc from 'fast-check'
import { namedEntry, runtimeName, type SchemaNode } from '../../src/config/schema-node.ts'
import { formatByteSize, formatDuration, parseByteSize, parseDuration } from '../../src/config/units.ts'

/** The variable that every secret of a sample names. */
export const secretVariable = 'SAMPLE_SECRET'

/** Any value that the schema allows, in the words of weir.yaml. */
export function sampleOf(schema: SchemaNode): fc.Arbitrary<unknown> {
  const entry = namedEntry(schema)
  if (schema['x-weir-unit'] === 'secret') return fc.constant({ env: secretVariable })
  if (entry) return fc.dictionary(stringLike(entry[0]), sampleOf(entry[1]), { maxKeys: 3 })
  if (schema.properties) return sampleOfObject(schema.properties, schema.required ?? [])
  switch (schema.type) {
    case 'array': {
      const options = { minLength: schema.minItems ?? 0, maxLength: 4 }
      const item = sampleOf(schema.items ?? {})
      return schema.uniqueItems ? fc.uniqueArray(item, options) : fc.array(item, options)
    }
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 1e12, 2 ** 53 - 1) })
    case 'number':
      return fc.double({ min: schema.minimum ?? 0, max: schema.maximum ?? 1, noNaN: true })
    default:
      return sampleOfText(schema)
  }
}

function sampleOfObject(properties: Readonly<Record<string, SchemaNode>>, required: readonly string[]) {
  const samples = Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, sampleOf(child)]))
  const requiredKeys = required.filter(key => properties[key]?.default === undefined)
  return fc.record(samples, { requiredKeys })
}

function sampleOfText(schema: SchemaNode): fc.Arbitrary<string> {
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.format === 'date') {
    const days = { min: new Date('1970-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }
    return fc.date(days).map(date => date.toISOString().slice(0, 10))
  }
  switch (schema['x-weir-unit']) {
    case 'duration': {
      const least = parseDuration(schema['x-weir-least'] ?? '1ms') ?? 1
      const most = parseDuration(schema['x-weir-most'] ?? '24d') ?? 1
      // What a text with at most nine digits can say.
      return fc.integer({ min: least, max: Math.min(most, 999_999_999) }).map(formatDuration)
    }
    case 'bytes': {
      const least = parseByteSize(schema['x-weir-least'] ?? '0B') ?? 0
      const most = parseByteSize(schema['x-weir-most'] ?? '1GiB') ?? 1
      return fc.integer({ min: least, max: Math.min(most, 999_999_999) }).map(formatByteSize)
    }
    case 'money':
      return fc
        .tuple(fc.integer({ min: 0, max: 8_999_999 }), fc.integer({ min: 0, max: 999_999 }))
        .map(String)
        .map(text => text.replace(',', '.'))
    case 'path':
      return fc.stringMatching(/^\/[a-z]{1,20}$/)
    default:
      return stringLike(schema.pattern ?? '^[!-~]{1,20}$')
  }
}

/** fast-check does not know every class of characters, so a stand-in of the same form is drawn for two patterns. */
function stringLike(pattern: string): fc.Arbitrary<string> {
  if (pattern.startsWith('^https?')) return fc.stringMatching(/^https?:\/\/[a-z]{1,9}(\/[a-z]{1,9})?$/)
  if (pattern.startsWith('^[^')) return fc.stringMatching(/^[A-Za-z0-9._:/ü@-]{1,20}$/)
  return fc.stringMatching(new RegExp(pattern))
}

/** What the program was given, in the words of weir.yaml again. */
export function writtenBack(schema: SchemaNode, value: unknown): unknown {
  switch (schema['x-weir-unit']) {
    case 'secret':
      return { env: secretVariable }
    case 'duration':
      return formatDuration(Number(value))
    case 'bytes':
      return formatByteSize(Number(value))
    default:
  }
  if (Array.isArray(value)) return value.map(item => writtenBack(schema.items ?? {}, item))
  if (typeof value !== 'object' || value === null) return value
  const inner: Readonly<Record<string, unknown>> = { ...value }
  const entry = namedEntry(schema)
  const pairs = entry
    ? Object.keys(inner).map(name => [name, writtenBack(entry[1], inner[name])] as const)
    : Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
        const found = inner[runtimeName(key, child)]
        return found === undefined ? [] : [[key, writtenBack(child, found)] as const]
      })
  return Object.fromEntries(pairs)
}
