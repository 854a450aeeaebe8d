import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import { ChatRequestSchema } from '../../../src/schemas/chat-request.ts'
import { CompletionRequestSchema } from '../../../src/schemas/completion-request.ts'
import { EmbeddingRequestSchema } from '../../../src/schemas/embedding-request.ts'
import { formatPath } from '../../../src/schemas/param-path.ts'
import { buildValidators } from '../../../src/schemas/validators.ts'
import { buildBodyApp } from '../../support/body-app.ts'
import { type Place, type SchemaNode, sample, typesOf, walk } from '../../support/schema-walk.ts'

/** TypeBox's own type of a schema says nothing of its keywords. */
const asNode = (schema: object): SchemaNode => schema

const operations: readonly [string, SchemaNode][] = [
  ['/chat', asNode(ChatRequestSchema)],
  ['/completions', asNode(CompletionRequestSchema)],
  ['/embeddings', asNode(EmbeddingRequestSchema)],
]

/** A value of every kind, and texts that a lenient reader takes for another kind. */
const kinds: readonly [string, unknown][] = [
  ['null', null],
  ['boolean', true],
  ['boolean', false],
  ['integer', 7],
  ['number', 1.5],
  ['string', ''],
  ['string', '1'],
  ['string', 'true'],
  ['string', 'null'],
  ['string', '[]'],
  ['string', '{}'],
  ['array', []],
  ['array', [[]]],
  ['array', ['x']],
  ['object', {}],
  ['object', { '0': 'x', length: 1 }],
]

/** Values that no branch of the schema takes at this path. */
function wrongKinds(schemas: readonly SchemaNode[]): unknown[] {
  const allowed = new Set(schemas.flatMap(typesOf))
  for (const { const: only } of schemas) if (only !== undefined) allowed.add(typeof only)
  if (allowed.has('number')) allowed.add('integer')
  return kinds.filter(([kind]) => !allowed.has(kind)).map(([, value]) => value)
}

const places = (schema: SchemaNode): Place[] => [...walk(schema, { path: [], put: value => value })]

let app: FastifyInstance
before(async () => {
  app = await buildBodyApp()
})
after(() => app.close())

const post = async (url: string, body: unknown) => {
  const headers = { 'content-type': 'application/json' }
  const response = await app.inject({ method: 'POST', url, headers, payload: JSON.stringify(body) })
  return { status: response.statusCode, error: response.json().error }
}

describe('H03 type confusion', () => {
  for (const [url, schema] of operations) {
    test(`H03 every field of ${url} refuses every other kind of value and says where`, async () => {
      let count = 0
      const byPath = Map.groupBy(places(schema), ({ path }) => formatPath(path))
      for (const { path, put } of places(schema)) {
        const all = byPath.get(formatPath(path)) ?? []
        for (const wrong of wrongKinds(all.map(place => place.schema))) {
          const { status, error } = await post(url, put(wrong))
          const said = JSON.stringify({ path, wrong, error })
          assert.equal(status, 400, said)
          const param = formatPath(path)
          // A wrong item may be told by itself, or through the form of the whole that it does not fit.
          const isNear = String(error.param ?? '').startsWith(param) || param.startsWith(String(error.param ?? ''))
          assert.ok(isNear, said)
          count++
        }
      }
      assert.ok(count > 50, `${count} cases`)
    })

    test(`H03 every field of ${url} takes a value of its kind`, () => {
      const validate = buildValidators(() => ({})).compile(schema, 'body')
      for (const { path, schema: inner, put } of places(schema)) {
        const body = put(sample(inner))
        const result = validate(body)
        assert.ok(result === true, `${formatPath(path)}: ${JSON.stringify(body)} ${JSON.stringify(result)}`)
      }
    })
  }

  test('H03 nothing is coerced, filled in or taken away on the way to the backend', async () => {
    const body = { messages: [{ role: 'user', content: '1' }], temperature: 1, n: 1, stop: '5', seed: -0 }
    const headers = { 'content-type': 'application/json' }
    const response = await app.inject({ method: 'POST', url: '/chat', headers, payload: JSON.stringify(body) })
    assert.equal(response.json().sent, JSON.stringify(body))
  })

  test('H03 any value at all in any field is answered, and never by 5xx', async () => {
    const chosen = fc.constantFrom(
      ...operations.flatMap(([url, schema]) => places(schema).map(place => [url, place] as const)),
    )
    await fc.assert(
      fc.asyncProperty(chosen, fc.jsonValue({ maxDepth: 3 }), async ([url, place], value) => {
        const { status } = await post(url, place.put(value))
        assert.ok(status === 200 || status === 400, `${status}`)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('the patterns of the schemas', () => {
  const patterns = new Set<string>()
  for (const [, schema] of operations) {
    for (const { schema: inner } of places(schema)) {
      for (const { pattern } of [inner, inner.propertyNames ?? {}]) if (pattern !== undefined) patterns.add(pattern)
    }
  }

  test('are found', () => assert.ok(patterns.size >= 4))

  for (const pattern of patterns) {
    test(`${pattern} takes time linear in the text`, () => {
      const regex = new RegExp(pattern, 'u')
      for (const unit of ['a', '0', 'A1', '/', ' ', '\t', '_', 'é', '.:', '😀']) {
        const text = unit.repeat(500_000)
        const start = performance.now()
        for (const end of ['', '!', '\u0000', ' ']) regex.test(text + end)
        assert.ok(performance.now() - start < 200, unit)
      }
    })
  }
})
