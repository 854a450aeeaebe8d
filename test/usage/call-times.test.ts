import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { type CallRecord, newRecord } from '../../src/backend/call.ts'
import { interTokenMsOf, overheadMsOf } from '../../src/usage/call-times.ts'

const usage = { inputTokens: 3, cachedInputTokens: 0, outputTokens: 5, reasoningTokens: null }
const dispatch = { sentAt: 100, endedAt: 300, pieces: 5, isUsageWhole: true }
const call: CallRecord = { ...newRecord(), attempts: 1, queueMs: 60, firstContentAt: 220, usage, dispatch }

test('between tokens is the time after the first one, by the tokens after it', () => {
  equal(interTokenMsOf(call), 20)
  equal(interTokenMsOf({ ...call, usage: { ...usage, outputTokens: 1 } }), null)
  equal(interTokenMsOf({ ...call, usage: null }), null)
  // An answer in one piece.
  equal(interTokenMsOf({ ...call, firstContentAt: 300 }), null)
  equal(interTokenMsOf({ ...call, dispatch: { ...dispatch, endedAt: null } }), null)
  equal(interTokenMsOf(newRecord()), null)
})

test('what the gateway adds is what comes before the call is sent, but for the wait for a slot', () => {
  equal(overheadMsOf(call, 38), 2)
  equal(overheadMsOf({ ...call, attempts: 2 }, 38), null)
  equal(overheadMsOf(newRecord(), 38), null)
})
