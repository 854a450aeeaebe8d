import { deepStrictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { type Document, findBreaks } from '../../scripts/compare-openapi.ts'

/** A document with one operation, whose request and answer have these fields. */
function documentWith(fields: { request?: object; response?: object; parameters?: readonly object[] }): Document {
  const schemaOf = (schema: object = {}) => ({ 'application/json': { schema: { type: 'object', ...schema } } })
  const document = {
    paths: {
      '/things': {
        post: {
          parameters: fields.parameters ?? [],
          requestBody: { content: schemaOf(fields.request) },
          responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } } },
        },
      },
    },
    components: { schemas: { Thing: { type: 'object', ...fields.response } } },
  }
  return JSON.parse(JSON.stringify(document))
}

const breaksBetween = (base: Parameters<typeof documentWith>[0], head: Parameters<typeof documentWith>[0]) =>
  findBreaks({ base: documentWith(base), head: documentWith(head) })

const named = { properties: { name: { type: 'string' } } }

test('what callers may no longer send breaks them', () => {
  deepStrictEqual(breaksBetween({ request: named }, { request: { properties: {} } }), ['POST /things name: is gone'])
  deepStrictEqual(breaksBetween({ request: named }, { request: { properties: { name: { type: 'number' } } } }), [
    'POST /things name: the type string is no longer taken',
  ])
  const kinds = (...values: string[]) => ({ request: { properties: { kind: { enum: values } } } })
  deepStrictEqual(breaksBetween(kinds('a', 'b'), kinds('a', 'c')), [
    'POST /things kind: the value b is no longer taken',
  ])
  deepStrictEqual(breaksBetween({ parameters: [{ name: 'page', in: 'query' }] }, {}), [
    'POST /things: the parameter page is gone',
  ])
})

test('what callers must send now breaks them', () => {
  deepStrictEqual(breaksBetween({ request: named }, { request: { ...named, required: ['name'] } }), [
    'POST /things name: has to be given now',
  ])
  deepStrictEqual(breaksBetween({}, { parameters: [{ name: 'page', in: 'query', required: true }] }), [
    'POST /things: the parameter page has to be given now',
  ])
})

test('what callers are no longer told breaks them', () => {
  const always = { ...named, required: ['name'] }
  deepStrictEqual(breaksBetween({ response: named }, {}), ['POST /things 200 name: is gone'])
  deepStrictEqual(breaksBetween({ response: always }, { response: named }), [
    'POST /things 200 name: may be missing now',
  ])
  const base = documentWith({})
  deepStrictEqual(findBreaks({ base, head: { paths: {} } }), ['POST /things: is gone'])
})

test('what is new beside it breaks nobody, and a schema that contains itself has an end', () => {
  deepStrictEqual(breaksBetween({}, { request: named, response: named }), [])
  deepStrictEqual(breaksBetween({ request: { ...named, required: ['name'] } }, { request: named }), [])
  const tree = { properties: { children: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } } }
  deepStrictEqual(breaksBetween({ response: tree }, { response: tree }), [])
})
