import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { buildFloodApp, type FloodApp } from '../../support/flood-app.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What the guard may keep for two counts of 50,000 addresses each, and what one round of requests leaves behind. */
const maxGrowthBytes = 24 * 1024 * 1024
const slackBytes = 8 * 1024 * 1024

/** Asks once from each of so many /64s, with a wrong key: both counters take each of them in. */
async function visit({ ask }: FloodApp, from: number, count: number): Promise<number> {
  for (let n = from; n < from + count; n += 1) {
    const address = `2001:db8:${(n >> 16).toString(16)}:${(n & 0xff_ff).toString(16)}::1`
    const { statusCode } = await ask(address, { key: 'wrong' })
    assert.equal(statusCode, 401)
    // Requests that are injected leave work for the loop, which must have its turn.
    if (n % 100 === 0) await nextTurn()
  }
  await nextTurn()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('L13 a hundred thousand addresses take no more memory than the guard has for them', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 60_000, failuresPerMinute: 600 })
  const atStart = await visit(guarded, 0, 1000)
  const full = await visit(guarded, 1000, 50_000)
  const after = await visit(guarded, 51_000, 50_000)
  const [growth, more] = [full - atStart, after - full]
  assert.ok(growth < maxGrowthBytes, `grew by ${growth} bytes`)
  assert.ok(more < slackBytes, `grew by ${more} bytes although it was full`)
})
