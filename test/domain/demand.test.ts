import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Target } from '../../src/domain/catalog.ts'
import { demandOf, orDemand } from '../../src/domain/demand.ts'
import { priceOf } from '../../src/domain/model-price.ts'
import { costOf, type Price, parsePrice } from '../../src/domain/price.ts'

const price = parsePrice('large', { from: '2026-01-01', input: '1', output: '2' })
const target: Target = { backend: 'one', model: 'large', weight: 1, endpoints: new Set(['chat'] as const) }
const model = { contextLength: null, prices: [price], targets: [target] }
const atMs = Date.UTC(2026, 5, 1)
const ask = {
  promptTokens: 100,
  outputBound: 50,
  choices: 3,
  operation: 'chat',
  model,
  atMs,
  longestMs: 60_000,
} as const

test('a request counts once, its prompt once, and each of its answers', () => {
  const tokens = { tokens: 250, promptTokens: 100, outputTokens: 150 }
  assert.deepEqual(demandOf(ask), { requests: 1, ...tokens, nanoUsd: 400_000, price })
})

test('no answer is longer than the context', () => {
  assert.equal(demandOf({ ...ask, model: { ...model, contextLength: 20 } }).outputTokens, 60)
})

test('embeddings have no output, and what has no price costs nothing', () => {
  const { tokens, nanoUsd } = demandOf({ ...ask, outputBound: 0, choices: 1, model: { ...model, prices: [] } })
  assert.deepEqual([tokens, nanoUsd], [100, 0])
})

test('a price by time is asked for the longest time', () => {
  const byTime = parsePrice('large', { from: '2026-01-01', perSecond: '0.5' })
  assert.equal(demandOf({ ...ask, model: { ...model, prices: [byTime] } }).nanoUsd, 30_000_000_000)
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
      const demand = demandOf({ ...ask, ...bounds, model: { ...model, contextLength } })
      const inputTokens = Math.floor(bounds.promptTokens * input)
      const each = Math.floor(Math.min(bounds.outputBound, contextLength ?? Number.POSITIVE_INFINITY) * output)
      const outputTokens = each * bounds.choices
      assert.ok(inputTokens + outputTokens <= demand.tokens)
      assert.ok(costOf(price, { inputTokens, cachedInputTokens: 0, outputTokens, durationMs: 0 }) <= demand.nanoUsd)
    }),
  )
})

test('the dearest target that may answer is what counts, be it dearer than the model or not', () => {
  const priced = (usd: string, more: Partial<Target> = {}): Target => {
    const own = { backend: 'two', model: 'large-q4' }
    return { ...target, ...own, prices: [parsePrice('large', { from: '2026-05-01', input: usd }, own)], ...more }
  }
  const held = (...targets: readonly Target[]) =>
    demandOf({ ...ask, outputBound: 0, model: { ...model, targets } }).nanoUsd
  assert.equal(held(target, priced('3')), 300_000)
  assert.equal(held(target, priced('0.5')), 100_000)
  assert.equal(held(priced('0.5')), 50_000)
  assert.equal(held(target, priced('3', { weight: 0 }), priced('4', { endpoints: new Set(['embeddings']) })), 100_000)
  assert.equal(held(priced('3', { prices: [parsePrice('large', { from: '2026-07-01', input: '3' })] })), 100_000)
})

test('what is demanded of a model and those after it is enough whichever of their targets answers', () => {
  const amount = fc.nat({ max: 5_000_000 }).map(micros => (micros / 1e6).toFixed(6))
  const prices: fc.Arbitrary<readonly Price[]> = fc
    .array(
      fc.oneof(fc.record({ input: amount, cachedInput: amount, output: amount }), fc.record({ perSecond: amount })),
      {
        maxLength: 2,
      },
    )
    .map(found => found.map((text, index) => parsePrice('large', { from: `2026-0${index + 1}-01`, ...text })))
  const targets = fc.array(
    fc.option(prices, { nil: undefined }).map((own): Target => ({ ...target, ...(own && { prices: own }) })),
    { minLength: 1, maxLength: 3 },
  )
  const asks = fc.record({
    promptTokens: fc.nat({ max: 1e5 }),
    outputBound: fc.nat({ max: 1e5 }),
    model: fc.record({ contextLength: fc.constant(null), prices, targets }),
  })
  const part = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.array(asks, { minLength: 1, maxLength: 3 }), part, (models, used) => {
      const all = models.map(one => ({ ...ask, ...one }))
      const demand = all.map(demandOf).reduce(orDemand)
      for (const { promptTokens, outputBound, choices, longestMs, ...one } of all) {
        const outputTokens = Math.floor(outputBound * used) * choices
        const use = { inputTokens: promptTokens, cachedInputTokens: Math.floor(promptTokens * used), outputTokens }
        assert.ok(outputTokens <= demand.outputTokens)
        for (const it of one.model.targets) {
          const cost = costOf(priceOf(one.model, it, atMs), { ...use, durationMs: longestMs * used })
          assert.ok(cost <= demand.nanoUsd)
          assert.ok(cost === 0 || demand.price !== null)
        }
      }
    }),
    { numRuns: 2000 },
  )
})
