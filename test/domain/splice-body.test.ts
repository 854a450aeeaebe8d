import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseBody } from '../../src/domain/body-parse.ts'
import { spliceBody } from '../../src/domain/splice-body.ts'
import { hasRefusedKey, writeFreely } from '../support/json-text.ts'

const names = ['a', 'b', 'c', 'd', '1', 'é']

describe('a spliced body', () => {
  test('holds what was kept, replaced and added, whatever the choice', () => {
    const object = fc.dictionary(fc.constantFrom(...names), fc.jsonValue(), { noNullPrototype: true })
    const texts = fc.dictionary(fc.constantFrom(...names, 'x y'), fc.option(fc.jsonValue()), { noNullPrototype: true })
    fc.assert(
      fc.property(object, fc.subarray(names), texts, fc.gen(), (value, kept, replaced, gen) => {
        fc.pre(!hasRefusedKey(value) && !hasRefusedKey(replaced))
        const { bytes, fields } = parseBody(Buffer.from(writeFreely(value, () => gen(fc.nat, 59))))
        const keep = fields.filter(({ name }) => kept.includes(name))
        const changes = new Map(
          Object.entries(replaced).map(([name, item]) => [name, item === null ? null : JSON.stringify(item)]),
        )
        const expected: Record<string, unknown> = {}
        for (const { name } of keep) expected[name] = JSON.parse(bytes.toString('utf8', ...spanOf(fields, name)))
        for (const [name, text] of changes) {
          if (text === null) delete expected[name]
          else expected[name] = JSON.parse(text)
        }
        assert.deepEqual(JSON.parse(spliceBody(bytes, keep, changes).toString()), expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('keeps the bytes of a field as they came', () => {
    const { bytes, fields } = parseBody(Buffer.from('{"model":"m","seed":12345678901234567890,"t":1.0}'))
    const spliced = spliceBody(bytes, fields, new Map([['model', '"other"']]))
    assert.equal(spliced.toString(), '{"seed":12345678901234567890,"t":1.0,"model":"other"}')
  })

  test('of nothing is an empty object', () => {
    assert.equal(spliceBody(Buffer.from('{"a":1}'), [], new Map()).toString(), '{}')
  })
})

function spanOf(fields: ReturnType<typeof parseBody>['fields'], name: string): [number, number] {
  const field = fields.find(each => each.name === name)
  return [field?.valueStart ?? 0, field?.end ?? 0]
}
