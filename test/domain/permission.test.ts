import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isAllowed } from '../../src/domain/permission.ts'

test('names and globs', () => {
  assert.ok(isAllowed('llama-3', ['*']))
  assert.ok(isAllowed('llama-3', ['qwen', 'llama-3']))
  assert.ok(isAllowed('llama-3-8b', ['llama-*']))
  assert.ok(isAllowed('org/llama-8b-q4', ['org/*-8b-*']))
  assert.ok(isAllowed('abc', ['a*b*c']))
  assert.ok(!isAllowed('llama-3', []))
  assert.ok(!isAllowed('llama-3', ['llama']))
  assert.ok(!isAllowed('xllama-3', ['llama-*']))
  assert.ok(!isAllowed('ab', ['ab*b']), 'beginning and end may not overlap')
  assert.ok(!isAllowed('acb', ['a*b*c']))
  assert.ok(!isAllowed('a.c', ['a?c']), 'nothing but * is special')
})

test('the same as a regular expression', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  fc.assert(
    fc.property(name, word, (text, pattern) => {
      assert.equal(isAllowed(text, [pattern]), new RegExp(`^${pattern.replace(/\*+/g, '.*')}$`).test(text))
    }),
  )
})
