import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTimings, parseUsage, UsageTally } from '../../src/domain/usage.ts'

const usageEvent = (prompt: number, completion: number, cached: number) => ({
  choices: [],
  usage: { prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: { cached_tokens: cached } },
})
const finishEvent = (index: number) => ({ choices: [{ index, finish_reason: 'stop', delta: {} }] })

test('usage is read from usage, else from timings', () => {
  assert.deepEqual(
    parseUsage({ prompt_tokens: 5, completion_tokens: 2, completion_tokens_details: { reasoning_tokens: 1 } }),
    {
      inputTokens: 5,
      cachedInputTokens: 0,
      outputTokens: 2,
      reasoningTokens: 1,
    },
  )
  assert.deepEqual(parseTimings({ cache_n: 3, prompt_n: 2, predicted_n: 7 }), {
    inputTokens: 5,
    cachedInputTokens: 3,
    outputTokens: 7,
    reasoningTokens: null,
  })
  assert.equal(parseUsage(null), null)
  assert.equal(parseUsage({ prompt_tokens: -1 }), null)
  // Who says nothing of the output, or nonsense, has not said that there was none.
  assert.equal(parseUsage({ prompt_tokens: 5 }), null)
  for (const completion_tokens of [-1, 2.5, '3', Number.NaN]) {
    assert.equal(parseUsage({ prompt_tokens: 5, completion_tokens, total_tokens: 5 }), null)
  }
  assert.equal(parseUsage({ prompt_tokens: 5, total_tokens: 5 })?.outputTokens, 0)
  assert.equal(parseUsage({ prompt_tokens: 5, total_tokens: 8 })?.outputTokens, 3)
  assert.equal(parseUsage({ prompt_tokens: 5, total_tokens: 4 }), null)
  assert.equal(parseUsage({ prompt_tokens: '5' }), null)
  assert.equal(parseTimings({ prompt_n: 1 }), null)
})

test('a usage of zero is a usage, not an absence', () => {
  const tally = new UsageTally(false, 1)
  tally.observe({ usage: { prompt_tokens: 0, completion_tokens: 0 }, timings: { prompt_n: 9, predicted_n: 9 } })
  assert.equal(tally.total()?.outputTokens, 0)
})

test('an engine that reports each choice: output is summed, the prompt counted once', () => {
  const tally = new UsageTally(true, 2)
  for (const event of [finishEvent(1), usageEvent(14, 3, 13), finishEvent(0), usageEvent(14, 4, 3)])
    tally.observe(event)
  assert.deepEqual(tally.total(), { inputTokens: 14, cachedInputTokens: 3, outputTokens: 7, reasoningTokens: null })
})

test('an engine that reports each choice: every prompt of a list counts', () => {
  const tally = new UsageTally(true, 1)
  for (const event of [finishEvent(0), usageEvent(4, 3, 0), finishEvent(1), usageEvent(6, 5, 2)]) tally.observe(event)
  assert.deepEqual(tally.total(), { inputTokens: 10, cachedInputTokens: 2, outputTokens: 8, reasoningTokens: null })
})

test('an engine that reports the whole request: the last word counts', () => {
  const tally = new UsageTally(false, 3)
  for (const event of [usageEvent(14, 1, 0), finishEvent(2), usageEvent(14, 9, 0)]) tally.observe(event)
  assert.deepEqual(tally.total(), { inputTokens: 14, cachedInputTokens: 0, outputTokens: 9, reasoningTokens: null })
})

test('nothing reported is null', () => {
  assert.equal(new UsageTally(true, 1).total(), null)
})

test('what an engine says of cached and reasoning tokens is believed as far as it can be true', () => {
  const wire = {
    prompt_tokens: 5,
    completion_tokens: 2,
    prompt_tokens_details: { cached_tokens: 9 },
    completion_tokens_details: { reasoning_tokens: 3 },
  }
  const expected = { inputTokens: 5, cachedInputTokens: 5, outputTokens: 2, reasoningTokens: 2 }
  assert.deepEqual(parseUsage(wire), expected)
})

test('whatever engines say, no more was cached than came in and no more was reasoning than went out', () => {
  const number = fc.oneof(
    fc.nat(9),
    fc.constant(Number.MAX_SAFE_INTEGER),
    fc.constantFrom(-1, 2.5, '3', null, undefined),
  )
  const usage = fc
    .tuple(number, number, number, number, number)
    .map(([prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens]) => ({
      prompt_tokens,
      completion_tokens,
      total_tokens,
      prompt_tokens_details: { cached_tokens },
      completion_tokens_details: { reasoning_tokens },
    }))
  const timings = fc.record({ cache_n: number, prompt_n: number, predicted_n: number })
  const choices = fc.nat(3).map(index => [{ index }])
  const event = fc.record({ choices, usage, timings }, { requiredKeys: [] })
  const assertPossible = (found: ReturnType<typeof parseUsage>) => {
    if (found === null) return
    const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens } = found
    for (const count of Object.values(found)) assert.ok(count === null || (Number.isSafeInteger(count) && count >= 0))
    assert.ok(cachedInputTokens <= inputTokens && (reasoningTokens ?? 0) <= outputTokens, JSON.stringify(found))
  }
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), fc.boolean(), fc.integer({ min: 1, max: 3 }), (events, each, n) => {
      const tally = new UsageTally(each, n)
      for (const one of events) {
        tally.observe(one)
        assertPossible(tally.total())
        assertPossible(parseUsage(one.usage))
        assertPossible(parseTimings(one.timings))
      }
    }),
    { numRuns: 2000 },
  )
})
