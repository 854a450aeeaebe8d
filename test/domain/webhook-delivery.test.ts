import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { outcomeOfReply, redeliveryWaitMs, signWebhook } from '../../src/domain/webhook-delivery.ts'

test('a signature is of the secret, the time and the body, and of nothing else', () => {
  const body = '{"a":"ü"}'
  const digest = createHmac('sha256', 'secret').update(`1700000000.${body}`).digest('hex')
  assert.equal(signWebhook('secret', 1_700_000_000, body), `t=1700000000,v1=${digest}`)
  const others = [
    signWebhook('other', 1_700_000_000, body),
    signWebhook('secret', 1_700_000_001, body),
    signWebhook('secret', 1_700_000_000, `${body} `),
  ]
  for (const other of others) assert.ok(!other.endsWith(digest))
})

test('2xx is delivered, 410 ends it, and everything else may be better later', () => {
  const outcomeOf = (status: number) => outcomeOfReply({ kind: 'status', status, retryAfterMs: 0 })
  assert.deepEqual([200, 202, 204, 299].map(outcomeOf), Array(4).fill('delivered'))
  assert.equal(outcomeOf(410), 'gone')
  assert.deepEqual([301, 302, 307, 400, 401, 404, 429, 500, 503].map(outcomeOf), Array(9).fill('failed'))
  assert.equal(outcomeOfReply({ kind: 'failure', reason: 'ECONNREFUSED' }), 'failed')
})

test('the wait is anything up to a bound that doubles from a second to an hour, and as long as was asked for', () => {
  const most = (tries: number) => redeliveryWaitMs(tries, 1 - Number.EPSILON)
  assert.deepEqual(
    [1, 2, 3, 11, 12, 13, 5000].map(most),
    [1000, 2000, 4000, 1_024_000, 2_048_000, 3_600_000, 3_600_000],
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.nat(),
      (tries, random, asked) => {
        const waitMs = redeliveryWaitMs(tries, random, asked)
        assert.ok(Number.isSafeInteger(waitMs) && waitMs <= 3_600_000 && waitMs >= Math.min(asked, 3_600_000))
      },
    ),
  )
  assert.equal(redeliveryWaitMs(5, 0), 0)
})
