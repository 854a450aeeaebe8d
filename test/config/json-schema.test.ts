import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'
import { jsonSchemaText } from '../../src/config/json-schema.ts'
import { configSchema, namedEntry, walkKeys } from '../../src/config/schema-node.ts'
import { loadConfig } from '../../src/config.ts'

const root = new URL('../../', import.meta.url)
const exampleText = readFileSync(new URL('weir.example.yaml', root), 'utf8')

function compile() {
  const ajv = new Ajv({ strict: true, allErrors: true })
  addFormats.default(ajv)
  return ajv.compile(JSON.parse(jsonSchemaText()))
}

test('weir.schema.json is current', () => {
  const committed = readFileSync(new URL('weir.schema.json', root), 'utf8')
  assert.equal(committed, jsonSchemaText(), 'run `node scripts/write-schema.ts`')
})

test('it is strict JSON Schema without words of our own', () => {
  compile()
  assert.doesNotMatch(jsonSchemaText(), /x-weir|\$id/)
})

test('every key has a description, and what has a default may be left out', () => {
  for (const [path, schema] of walkKeys(configSchema)) {
    if (path.at(-1) !== '*') assert.ok(schema.description, path.join('.'))
    if (namedEntry(schema)) assert.deepEqual(schema.default, {}, path.join('.'))
  }
  const validate = compile()
  assert.equal(validate({}), true)
  assert.equal(validate({ backends: { a: { url: 'http://a' } }, models: { m: { targets: [{ backend: 'a' }] } } }), true)
  assert.equal(validate({ backends: { a: {} } }), false)
})

test('every default and example fits its own schema', () => {
  const ajv = new Ajv({ strict: false })
  addFormats.default(ajv)
  for (const [path, schema] of walkKeys(configSchema)) {
    // Tables of fixed keys are empty by default, and filled from the defaults of their keys.
    if (schema.properties) continue
    const values = [...(schema.examples ?? []), ...(schema.default === undefined ? [] : [schema.default])]
    for (const value of values) assert.equal(ajv.validate(schema, value), true, path.join('.'))
  }
})

test('the example covers every key', () => {
  const present = new Set<string>()
  const visit = (value: unknown, schema: typeof configSchema, path: readonly string[]): void => {
    present.add(path.join('.'))
    const entry = namedEntry(schema)?.[1]
    for (const [key, inner] of Object.entries(Object(value))) {
      const child = Array.isArray(value) ? schema.items : (entry ?? schema.properties?.[key])
      if (child) visit(inner, child, [...path, Array.isArray(value) || entry ? '*' : key])
    }
  }
  visit(parse(exampleText), configSchema, [])
  for (const [path] of walkKeys(configSchema)) assert.ok(present.has(path.join('.')), path.join('.'))
})

test('the example fits the schema that it names, and loads', () => {
  assert.match(exampleText, /^# yaml-language-server: \$schema=\.\/weir\.schema\.json\n/)
  const validate = compile()
  assert.equal(validate(parse(exampleText)), true, JSON.stringify(validate.errors))
  const names = [...exampleText.matchAll(/\{ env: (\w+) \}/g)].flatMap(match => match[1] ?? [])
  const env = Object.fromEntries(names.map(name => [name, `${name} of this test, which is long enough`]))
  env['WEIR_POSTGRES_URL'] = 'postgres://u:p@h/db'
  env['WEIR_REDIS_URL'] = 'redis://:p@h'
  const { warnings } = loadConfig({ argv: ['--config', 'weir.example.yaml'], env, cwd: new URL('.', root).pathname })
  const others = warnings.filter(text => !text.includes('not obeyed yet') && !text.includes('there are backends'))
  assert.deepEqual(others, [])
})

test('what the example calls a default is one', () => {
  const paths = exampleText.split('\n').flatMap((line, index, lines) => {
    const comment = /^ *#.*\. \(default[;)]/.test(line)
    return comment ? [(lines.slice(index + 1).find(next => !/^ *#/.test(next)) ?? '').trim()] : []
  })
  assert.ok(paths.length > 20)
  const defaults = [...walkKeys(configSchema)].map(([path, { default: value }]) => `${path.at(-1)}: ${String(value)}`)
  for (const line of paths) assert.ok(defaults.includes(line), line)
})
