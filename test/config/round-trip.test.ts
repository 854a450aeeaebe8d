import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { jsonSchemaText } from '../../src/config/json-schema.ts'
import { type Resolution, resolveConfig } from '../../src/config/resolve.ts'
import { configSchema, namedEntry, type SchemaNode } from '../../src/config/schema-node.ts'
import { parseYaml } from '../../src/config/yaml-source.ts'
import { sampleOf, secretVariable, writtenBack } from './samples.ts'

const secret = 'the secret of every sample'

/** The file through the reader and the check against the schema; what follows them looks at names in other places. */
function resolveSample(sample: unknown) {
  const { tree, problems } = parseYaml(stringify(sample, { aliasDuplicateObjects: false }), 'weir.yaml')
  const run: Resolution = {
    env: { [secretVariable]: secret },
    cwd: '/',
    problems: [...problems],
    warnings: [],
    places: new Map(),
    origins: new Map(),
  }
  return { config: resolveConfig(tree, run), problems: run.problems, origins: run.origins }
}

const samples = sampleOf(configSchema)

test('any sample of the schema is accepted, and what comes of it written back gives the same again', () => {
  fc.assert(
    fc.property(samples, sample => {
      const first = resolveSample(sample)
      assert.deepEqual(first.problems, [])
      const again = resolveSample(writtenBack(configSchema, first.config))
      assert.deepEqual(again.problems, [])
      assert.deepEqual(again.config, first.config)
    }),
    { numRuns: 200 },
  )
})

test('every key has the name and kind in the program that its unit says', () => {
  const check = (schema: SchemaNode, value: unknown, path: string): void => {
    const inner: Readonly<Record<string, unknown>> = { ...Object(value) }
    const entry = namedEntry(schema)
    if (Array.isArray(value)) for (const item of value) check(schema.items ?? {}, item, `${path}[]`)
    else if (entry) for (const name of Object.keys(inner)) check(entry[1], inner[name], `${path}.*`)
    else if (schema.properties && schema['x-weir-unit'] === undefined) {
      for (const name of Object.keys(inner)) {
        const plain = name.replace(/(Ms|Bytes)$/, '')
        const child: SchemaNode = schema.properties[plain] ?? assert.fail(`${path}.${name}`)
        const unit = child['x-weir-unit']
        assert.equal(name, unit === 'duration' ? `${plain}Ms` : unit === 'bytes' ? `${plain}Bytes` : plain)
        if (unit === 'duration' || unit === 'bytes') assert.ok(Number.isSafeInteger(inner[name]), `${path}.${name}`)
        if (unit === 'secret') assert.equal(inner[name], secret)
        else check(child, inner[name], `${path}.${name}`)
      }
    }
  }
  fc.assert(
    fc.property(samples, sample => check(configSchema, resolveSample(sample).config, '')),
    { numRuns: 100 },
  )
})

test('every value that is there has an origin', () => {
  fc.assert(
    fc.property(samples, sample => {
      for (const origin of resolveSample(sample).origins.values()) assert.match(origin, /^(default|weir\.yaml:\d+.*)$/)
    }),
    { numRuns: 50 },
  )
})

const wrongs: readonly unknown[] = [
  -1,
  1.5,
  1e15,
  true,
  '',
  'no such thing!',
  [],
  [[]],
  [1],
  { a: 1 },
  { env: 'A', file: 'B' },
]

/** The sample with one of its values, at any depth, replaced or with a key too many. */
const broken = fc.tuple(samples, fc.nat(), fc.constantFrom(...wrongs), fc.boolean()).map(([sample, at, wrong, add]) => {
  const copy: unknown = structuredClone(sample)
  const places: (readonly [holder: Record<string, unknown>, key: string])[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const holder: Record<string, unknown> = Object(value)
    for (const key of Object.keys(holder)) {
      places.push([holder, key])
      visit(holder[key])
    }
  }
  visit(copy)
  const [holder, key] = places[at % Math.max(1, places.length)] ?? []
  if (holder !== undefined && key !== undefined) holder[add && !Array.isArray(holder) ? 'surplus!' : key] = wrong
  return copy
})

test('the program and the published schema agree on what is wrong', () => {
  const ajv = new Ajv({ strict: true })
  addFormats.default(ajv)
  const validate = ajv.compile(JSON.parse(jsonSchemaText()))
  fc.assert(
    fc.property(broken, sample => {
      const problems = resolveSample(sample).problems.filter(
        // What JSON Schema cannot say: ranges of units, and what the environment has.
        ({ problem }) => !/is out of range|more than can be counted|The environment has no|no file/.test(problem),
      )
      assert.equal(
        problems.length === 0,
        validate(sample),
        `${JSON.stringify(problems)} ${JSON.stringify(validate.errors)}`,
      )
    }),
    { numRuns: 1000 },
  )
})
