import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSerializer } from '../../src/schemas/serializers.ts'
import { Type } from '../../src/schemas/typebox.ts'

const schema = Type.Object({ name: Type.String() }, { additionalProperties: false })

test('what is not in the schema of an answer is not answered', () => {
  const write = compileSerializer({ schema })
  assert.equal(write({ name: 'a', digest: 'secret' }), '{"name":"a"}')
  // Another route with the same schema.
  assert.equal(compileSerializer({ schema })({ digest: 'secret', name: 'b' }), '{"name":"b"}')
})

test('an answer that its schema does not allow is a mistake that is thrown', () => {
  assert.throws(() => compileSerializer({ schema })({}), /name/)
})
