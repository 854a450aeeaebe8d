import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusFault } from '../../src/backend/status-fault.ts'

const kindOf = (status: number, message: string) =>
  statusFault(status, JSON.stringify({ error: { code: status, message, type: 'server_error' } }), undefined).kind

test('S10 an input that does not fit is a matter of the context, whatever the status', () => {
  const tooLarge =
    'input (701 tokens) is too large to process. increase the physical batch size (current batch size: 512)'
  assert.equal(kindOf(500, tooLarge), 'context')
  assert.equal(kindOf(400, tooLarge), 'context')
  assert.equal(kindOf(500, 'input is larger than the max context size. skipping'), 'context')
  assert.equal(kindOf(500, '"input" must be a string'), 'client')
  assert.equal(kindOf(500, 'something broke'), 'failed')
})

test('S10 the time to wait is read in seconds and as a date', () => {
  const waitOf = (retryAfter: string | undefined) => statusFault(503, '', retryAfter).details.retryAfterMs ?? 0
  assert.equal(waitOf('7'), 7000)
  assert.equal(waitOf('99999'), 3_600_000)
  for (const useless of [undefined, '', '0', '-3', 'soon', new Date(Date.now() - 5000).toUTCString()]) {
    assert.equal(waitOf(useless), 1000, String(useless))
  }
  const inTen = waitOf(new Date(Date.now() + 10_000).toUTCString())
  assert.ok(inTen > 8000 && inTen <= 10_000, String(inTen))
  assert.equal(waitOf(new Date(Date.now() + 86_400_000).toUTCString()), 3_600_000)
})
