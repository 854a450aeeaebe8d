import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { demandOf } from '../../src/domain/demand.ts'
import { costOf, parsePrice } from '../../src/domain/price.ts'

const price = parsePrice({ from: '2026-01-01', input: '1', output: '2' })
const ask = { promptTokens: 100, outputBound: 50, choices: 3, model: { contextLength: null }, price, longestMs: 60_000 }

test('a request counts once, its prompt once, and each of its answers', () => {
  assert.deepEqual(demandOf(ask), { requests: 1, tokens: 250, nanoUsd: 400_000, promptTokens: 100, outputTokens: 150 })
})

test('no answer is longer than the context', () => {
  assert.equal(demandOf({ ...ask, model: { contextLength: 20 } }).outputTokens, 60)
})

test('embeddings have no output, and what has no price costs nothing', () => {
  const { tokens, nanoUsd } = demandOf({ ...ask, outputBound: 0, choices: 1, price: null })
  assert.deepEqual([tokens, nanoUsd], [100, 0])
})

test('a price by time is asked for the longest time', () => {
  const byTime = parsePrice({ from: '2026-01-01', perSecond: '0.5' })
  assert.equal(demandOf({ ...ask, price: byTime }).nanoUsd, 30_000_000_000)
})

test('no request that keeps to its bounds takes more than was demanded', () => {
  const asks = fc.record({
    promptTokens: fc.nat({ max: 1e6 }),
    outputBound: fc.nat({ max: 1e7 }),
    choices: fc.integer({ min: 1, max: 128 }),
    contextLength: fc.option(fc.integer({ min: 1, max: 1e6 })),
  })
  const part = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(asks, part, part, ({ contextLength, ...bounds }, input, output) => {
      const demand = demandOf({ ...ask, ...bounds, model: { contextLength } })
      const inputTokens = Math.floor(bounds.promptTokens * input)
      const each = Math.floor(Math.min(bounds.outputBound, contextLength ?? Number.POSITIVE_INFINITY) * output)
      const outputTokens = each * bounds.choices
      assert.ok(inputTokens + outputTokens <= demand.tokens)
      assert.ok(costOf(price, { inputTokens, cachedInputTokens: 0, outputTokens, durationMs: 0 }) <= demand.nanoUsd)
    }),
  )
})
