import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shareTokens } from '../../src/cache/vector-inputs.ts'

test('the tokens of a batch are shared by the length of its inputs, in whole numbers that add up', () => {
  assert.deepEqual(shareTokens(['aaaa', 'aa', [1, 2]], 8), [4, 2, 2])
  assert.deepEqual(shareTokens(['a'], 5), [5])
  const check = (inputs: readonly string[], tokens: number) => {
    const shares = shareTokens(inputs, tokens)
    assert.equal(
      shares.reduce((sum, share) => sum + share, 0),
      tokens,
    )
    for (const share of shares) assert.ok(Number.isInteger(share) && share >= 0)
  }
  const inputs = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 })
  fc.assert(fc.property(inputs, fc.nat(100_000), check), { numRuns: 200 })
})
