import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, type Settlement, settlementOf } from '../../src/domain/settlement.ts'

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
    const expected = { requests, inputTokens, cachedInputTokens, outputTokens, isEstimate } as Settlement
    assert.deepEqual(settlementOf({ ...whole, ...outcome }, reserved), expected)
  })
}
