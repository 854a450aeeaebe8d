import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { coversPattern, intersectPatterns, narrowGrant } from '../../src/domain/key-grant.ts'

const tier = { scopes: ['chat', 'models'], models: ['llama-*', 'mistral'] } as const

test('a key without limits of its own has what its tier has', () => {
  const grant = narrowGrant(tier, { scopes: null, models: null })
  assert.deepEqual([...grant.scopes], ['chat', 'models'])
  assert.deepEqual(grant.models, ['llama-*', 'mistral'])
})

test('a key is narrower than its tier, never wider, but for the scope admin, which only a key has', () => {
  const grant = narrowGrant(tier, { scopes: ['chat', 'embeddings', 'admin'], models: ['llama-3*', 'gpt-4', '*tral'] })
  assert.deepEqual([...grant.scopes], ['chat', 'admin'])
  assert.deepEqual(grant.models, ['llama-3*', 'mistral'])
})

test('a tier that is gone grants nothing', () => {
  const grant = narrowGrant(undefined, { scopes: ['admin'], models: ['*'] })
  assert.deepEqual([grant.scopes.size, grant.models], [0, []])
})

test('patterns cover what they match', () => {
  const covers = [
    ['*', '*'],
    ['*', 'a*b'],
    ['a*', 'a'],
    ['a*', 'ab*'],
    ['a*c*e', 'abcde'],
    ['*a', 'b*a'],
  ] as const
  for (const [wide, narrow] of covers) assert.equal(coversPattern(wide, narrow), true, `${wide} covers ${narrow}`)
  const doesNot = [
    ['a', 'b'],
    ['a', 'a*'],
    ['ab*ba', 'aba'],
    ['a*b*c', 'acb'],
    ['a*', '*'],
  ] as const
  for (const [wide, narrow] of doesNot) assert.equal(coversPattern(wide, narrow), false, `${wide} covers ${narrow}`)
})

test('whatever an intersection allows, both sides allow', () => {
  const pattern = fc.stringMatching(/^[ab*]{1,5}$/)
  const patterns = fc.array(pattern, { maxLength: 4 })
  const name = fc.stringMatching(/^[ab]{0,6}$/)
  const allows = (list: readonly string[], text: string) => list.some(item => coversPattern(item, text))
  fc.assert(
    fc.property(patterns, patterns, name, (left, right, text) => {
      if (!allows(intersectPatterns(left, right), text)) return
      assert.ok(allows(left, text) && allows(right, text))
    }),
    { numRuns: 2000 },
  )
})
