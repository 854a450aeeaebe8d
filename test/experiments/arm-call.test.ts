import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallRecord } from '../../src/backend/call.ts'
import { Fault, type FaultKind } from '../../src/backend/fault.ts'
import { armCallOf } from '../../src/experiments/arm-call.ts'

const assignment = { experiment: 'x', arm: 'a', isCounted: true, participant: 5 }
const usage = { inputTokens: 4, cachedInputTokens: 0, outputTokens: 11, reasoningTokens: null }
const whole: CallRecord = {
  backend: 'main',
  model: null,
  target: null,
  arm: 'a',
  attempts: 1,
  tries: [],
  firstContentAt: 1000,
  usage,
  queueMs: 0,
  fault: null,
  dispatch: { sentAt: 900, endedAt: 1500, pieces: 9, isUsageWhole: true },
}
const callOf = (record: CallRecord, status = 200) => armCallOf(assignment, record, { status, firstTokenMs: 100 })

test('the time between tokens is that of a whole answer of two tokens or more', () => {
  assert.deepEqual(callOf(whole), { participant: 5, hasFailed: false, firstTokenMs: 100, interTokenMs: 50, usage })
  // Pieces are the least that it can have been.
  assert.equal(callOf({ ...whole, usage: null }).interTokenMs, 500 / 8)
  const { dispatch: _, ...unsent } = whole
  for (const record of [
    { ...whole, usage: { ...usage, outputTokens: 1 } },
    { ...whole, firstContentAt: null },
    { ...whole, fault: new Fault('client-gone', 'left') },
    unsent,
  ]) {
    assert.equal(callOf(record).interTokenMs, null)
  }
})

test('an arm has failed where its backend did, or where nothing was sent for want of one; not by what its caller does', () => {
  const failures: [FaultKind, boolean][] = [
    ['connect', true],
    ['reset', true],
    ['incomplete', true],
    ['timeout', true],
    ['rubbish', true],
    ['busy', true],
    ['refused', true],
    ['failed', true],
    ['client', false],
    ['context', false],
    ['client-gone', false],
    ['client-stall', false],
    ['shutdown', false],
  ]
  for (const [kind, hasFailed] of failures) {
    assert.equal(callOf({ ...whole, fault: new Fault(kind, kind) }, 200).hasFailed, hasFailed, kind)
  }
  const { dispatch: _, ...sent } = whole
  const unsent = { ...sent, backend: null, model: null, arm: null, attempts: 0, firstContentAt: null, usage: null }
  for (const [status, hasFailed] of [
    [503, true],
    [499, false],
    [429, false],
  ] as const) {
    assert.equal(callOf(unsent, status).hasFailed, hasFailed, String(status))
  }
})

test('what another arm has answered is a failure of its own, and none of its figures', () => {
  const failed = { participant: 5, hasFailed: true, firstTokenMs: null, interTokenMs: null, usage: null }
  assert.deepEqual(callOf({ ...whole, arm: 'b', attempts: 2 }), failed)
  // By a fallback to another model.
  assert.deepEqual(callOf({ ...whole, arm: null, attempts: 2 }), failed)
  assert.deepEqual(callOf({ ...whole, arm: 'b', fault: new Fault('client-gone', 'left') }), failed)
})
