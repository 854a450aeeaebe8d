import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundOutputTokens, type OutputBound } from '../../src/domain/output-bound.ts'

const base: OutputBound = {
  asked: null,
  tierDefault: null,
  tierCap: null,
  modelMax: 4096,
  contextLength: null,
  bodyBytes: 1000,
  mustFitContext: false,
}
const bound = (change: Partial<OutputBound>) => boundOutputTokens({ ...base, ...change })

test('there is always a bound', () => {
  assert.equal(bound({}), 4096)
  assert.equal(bound({ tierDefault: 256 }), 256)
  assert.equal(bound({ asked: 10 }), 10)
  assert.equal(bound({ asked: 10_000 }), 4096)
  assert.equal(bound({ asked: 3000, tierCap: 512 }), 512)
  assert.equal(bound({ tierDefault: 1000, tierCap: 512 }), 512)
})

test('a bound nobody asked for leaves room for the prompt where the engine insists', () => {
  assert.equal(bound({ contextLength: 4096, mustFitContext: true }), 4096 - 334 - 64)
  assert.equal(bound({ contextLength: 100, mustFitContext: true }), 16)
  assert.equal(
    bound({ contextLength: 4096, mustFitContext: true, asked: 4000 }),
    4000,
    'what is asked for is passed on',
  )
})
