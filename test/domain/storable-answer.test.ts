import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isStorable } from '../../src/domain/storable-answer.ts'

const choice = (reason: unknown, message: object = { content: 'x' }) => ({ index: 0, finish_reason: reason, message })
const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }

test('C06: only an answer that came to its own end in every choice may be given again', () => {
  const kept = (choices: unknown, options: object = {}) =>
    isStorable({ choices }, { choices: 1, keepsToolCalls: false, ...options })
  assert.equal(kept([choice('stop')]), true)
  for (const reason of ['length', 'content_filter', 'tool_calls', 'abort', null, undefined, '']) {
    assert.equal(kept([choice(reason)]), false, String(reason))
  }
  assert.equal(kept([choice('stop'), choice('length')], { choices: 2 }), false)
  assert.equal(kept([choice('stop')], { choices: 2 }), false)
  assert.equal(kept([]), false)
  assert.equal(kept(undefined), false)
})

test('C06: an answer that calls a tool is kept where the model says so, whatever its engine calls the end', () => {
  for (const reason of ['tool_calls', 'stop']) {
    const choices = [choice(reason, { content: null, tool_calls: [call] })]
    assert.equal(isStorable({ choices }, { choices: 1, keepsToolCalls: false }), false)
    assert.equal(isStorable({ choices }, { choices: 1, keepsToolCalls: true }), true)
  }
  const cut = [choice('length', { tool_calls: [call] })]
  assert.equal(isStorable({ choices: cut }, { choices: 1, keepsToolCalls: true }), false)
})
