import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../src/backend/fault.ts'
import { isBackendsFault } from '../../src/backend/fault-class.ts'
import { statusFault } from '../../src/backend/status-fault.ts'

const wire = (message: string) => JSON.stringify({ error: { code: 500, message, type: 'server_error' } })
const jinja =
  '\n------------\nWhile executing CallExpression at line 1, column 96 in source:\n...\nError: Jinja Exception: Conversation roles must alternate user/assistant'

test('what a request or one target of a backend has done wrong does not speak against the backend', () => {
  for (const [status, message] of [
    [404, 'model not found'],
    [400, "model 'x' not found"],
    [405, ''],
    [400, 'no'],
    [500, jinja],
    [500, '"messages" must be a list'],
    [503, 'Loading model'],
    [401, 'no'],
  ] as const) {
    assert.equal(isBackendsFault(statusFault(status, wire(message), undefined)), false, `${status} ${message}`)
  }
  for (const [status, message] of [
    [500, 'out of memory'],
    [502, ''],
    [504, ''],
  ] as const) {
    assert.equal(isBackendsFault(statusFault(status, wire(message), undefined)), true, `${status} ${message}`)
  }
  // In a stream, or behind a 200.
  assert.equal(isBackendsFault(new Fault('failed', 'the backend reported an error in its stream')), true)
})

test('a chat template that raises is the request’s fault', () => {
  assert.equal(statusFault(500, wire(jinja), undefined).kind, 'client')
})
