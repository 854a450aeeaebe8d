import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Outcome, type Settlement, settlementOf } from '../../src/domain/settlement.ts'
import { parseUsage } from '../../src/domain/usage.ts'

const reserved = { inputTokens: 100, outputTokens: 50 }
const usage = { inputTokens: 16, cachedInputTokens: 4, outputTokens: 7, reasoningTokens: null }
const none = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: null }

const whole: Outcome = {
  isSent: true,
  hasFailed: false,
  hasContent: true,
  pieces: 7,
  usage,
  isUsageWhole: true,
}
const cut = { usage: null, isUsageWhole: true }

type Row = readonly [
  what: string,
  outcome: Partial<Outcome>,
  expected: readonly [requests: number, input: number, cached: number, output: number, isEstimate: boolean],
]

const rows: readonly Row[] = [
  ['nothing was sent', { isSent: false, hasContent: false, pieces: 0, usage: null }, [0, 0, 0, 0, false]],
  ['nothing was sent, and it failed', { isSent: false, hasFailed: true, hasContent: false }, [0, 0, 0, 0, false]],
  ['it failed before content', { hasFailed: true, hasContent: false, pieces: 0, usage: null }, [1, 0, 0, 0, false]],
  ['it failed before content, having reported', { hasFailed: true, hasContent: false }, [1, 0, 0, 0, false]],
  ['reported', {}, [1, 16, 4, 7, false]],
  ['reported, then it failed', { hasFailed: true }, [1, 16, 4, 7, false]],
  ['S03 0 reported, 7 pieces passed on', { usage: none }, [1, 0, 0, 0, false]],
  [
    'reported more than was reserved',
    { usage: { ...usage, inputTokens: 101, outputTokens: 51 } },
    [1, 101, 4, 51, false],
  ],
  ['more cached than there is', { usage: { ...usage, cachedInputTokens: 17 } }, [1, 16, 16, 7, false]],
  ['the caller left before content', { ...cut, hasContent: false, pieces: 0 }, [1, 100, 0, 0, true]],
  ['the caller left after 7 pieces', cut, [1, 100, 0, 7, true]],
  ['it failed after 7 pieces', { ...cut, hasFailed: true }, [1, 100, 0, 7, true]],
  ['more pieces than were reserved', { ...cut, pieces: 51 }, [1, 100, 0, 50, true]],
  ['a choice has reported, another wrote on', { isUsageWhole: false, pieces: 30 }, [1, 100, 4, 30, true]],
  ['a choice has reported more than there are pieces', { isUsageWhole: false, pieces: 3 }, [1, 100, 4, 7, true]],
  [
    'a choice has reported more than was reserved',
    { isUsageWhole: false, pieces: 70, usage: { ...usage, inputTokens: 120, outputTokens: 60 } },
    [1, 120, 4, 60, true],
  ],
]

for (const [what, outcome, [requests, inputTokens, cachedInputTokens, outputTokens, isEstimate]] of rows) {
  test(`settlement: ${what}`, () => {
    const tokens = { inputTokens, cachedInputTokens, outputTokens, reasoningTokens: null }
    const expected = { requests, ...tokens, isEstimate } as Settlement
    assert.deepEqual(settlementOf({ ...whole, ...outcome }, reserved), expected)
  })
}

test('settlement: reasoning is a part of the output that counts, and where none counts there is none', () => {
  const thinking = { ...usage, reasoningTokens: 5 }
  const reasoningOf = (outcome: Partial<Outcome>) =>
    settlementOf({ ...whole, usage: thinking, ...outcome }, reserved).reasoningTokens
  assert.equal(reasoningOf({}), 5)
  assert.equal(reasoningOf({ isUsageWhole: false, pieces: 3 }), 5)
  assert.equal(reasoningOf({ hasFailed: true, hasContent: false }), null)
  assert.equal(reasoningOf({ isSent: false, hasContent: false }), null)
  assert.equal(reasoningOf({ usage }), null)
})

test('settlement: whatever came of it, cached is within the input and reasoning within the output', () => {
  const count = fc.nat(60)
  const wire = fc.tuple(count, count, count, fc.option(count)).map(([prompt, completion, cached, reasoning]) => ({
    prompt_tokens: prompt,
    completion_tokens: completion,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }))
  const outcomes = fc.record({
    isSent: fc.boolean(),
    hasFailed: fc.boolean(),
    hasContent: fc.boolean(),
    pieces: count,
    usage: fc.option(wire.map(parseUsage)),
    isUsageWhole: fc.boolean(),
  })
  fc.assert(
    fc.property(outcomes, outcome => {
      const settled = settlementOf(outcome, reserved)
      assert.ok(settled.cachedInputTokens <= settled.inputTokens, JSON.stringify(settled))
      assert.ok((settled.reasoningTokens ?? 0) <= settled.outputTokens, JSON.stringify(settled))
    }),
    { numRuns: 1000 },
  )
})
