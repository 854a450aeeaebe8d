import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { outcomeOf } from '../../src/usage/outcome.ts'

const ending = { error: null, fault: null, isDelivered: true } as const

test('what was delivered is ok, an error by its name, or what its call to a backend came to after it had begun', () => {
  equal(outcomeOf(ending), 'ok')
  equal(outcomeOf({ ...ending, error: 'requestLimitExceeded' }), 'request_limit_exceeded')
  equal(outcomeOf({ ...ending, error: 'upstreamError', fault: 'connect' }), 'upstream_error')
  equal(outcomeOf({ ...ending, fault: 'reset' }), 'upstream_incomplete')
  equal(outcomeOf({ ...ending, fault: 'shutdown', isDelivered: false }), 'server_shutdown')
})

test('whoever left is one who left, whatever was on its way', () => {
  equal(outcomeOf({ ...ending, isDelivered: false }), 'client_cancel')
  equal(outcomeOf({ ...ending, isDelivered: false, fault: 'client-gone' }), 'client_cancel')
  equal(outcomeOf({ ...ending, isDelivered: false, error: 'requestLimitExceeded' }), 'client_cancel')
  equal(outcomeOf({ ...ending, fault: 'client-stall', error: 'requestTimeout' }), 'client_cancel')
})
