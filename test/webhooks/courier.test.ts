import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Sql } from 'postgres'
import { putDeliveries } from '../../src/store/webhook-deliveries.ts'
import { listDeliveries } from '../../src/store/webhook-listing.ts'
import { Courier, type CourierTimes } from '../../src/webhooks/courier.ts'
import { Poster, type PosterTimes } from '../../src/webhooks/poster.ts'
import { onEnd } from '../support/cleanup.ts'
import { openTestDatabase } from '../support/databases.ts'
import { eventually } from '../support/eventually.ts'
import { isGenuine, startReceiver } from '../support/webhook-receiver.ts'
import { newDelivery } from '../support/webhooks.ts'

const secret = 'c0ffee5eed1e55-of-the-webhook-of-this-test'
const atOnce: CourierTimes = { pollMs: 20, leaseMs: 60_000, waitMs: () => 0 }

interface World {
  readonly sql: Sql
  readonly urls: Readonly<Record<string, string>>
  readonly times?: Partial<CourierTimes>
  readonly posterTimes?: PosterTimes
}

function startCourier(t: TestContext, { sql, urls, times, posterTimes }: World) {
  const poster = new Poster(posterTimes)
  const outcomes: string[] = []
  const logged: string[] = []
  const note = (details: object, message: string) => void logged.push(`${message} ${JSON.stringify(details)}`)
  const courier = new Courier({
    sql,
    isReachable: () => true,
    receivers: () => Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, { url, secret }])),
    post: posting => poster.post(posting),
    onTry: outcome => outcomes.push(outcome),
    log: { warn: note, info: note },
    times: { ...atOnce, ...times },
  })
  onEnd(t, async () => {
    await poster.close()
    await courier.stop()
  })
  return { courier, poster, outcomes, logged }
}

const states = async (sql: Sql) =>
  (await listDeliveries(sql, { state: null, webhook: null }, { limit: 100, before: null })).map(
    ({ webhook, state, tries, lastError }) => [webhook, state, tries, lastError],
  )

/** The database has what became of them, and then the courier has heard so. */
async function settled(sql: Sql, outcomes: readonly string[], tries: number): Promise<void> {
  await eventually('all has ended', async () => (await states(sql)).every(([, state]) => state !== 'pending'))
  await eventually('the courier has heard so', () => outcomes.length === tries)
}

test('an event that is refused at first is posted again until it is taken, each time signed anew', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const receiver = await startReceiver(t)
  receiver.answer = (response, nth) =>
    response.writeHead([500, 429, 302][nth - 1] ?? 200, { location: '/other' }).end('thanks')
  const delivery = newDelivery()
  await putDeliveries(sql, [delivery])
  const { courier, outcomes, logged } = startCourier(t, { sql, urls: { ops: `${receiver.url}/in?token=hidden` } })
  courier.look()
  const received = await receiver.whenReceived(4)
  await settled(sql, outcomes, 4)
  assert.equal(received.length, 4)
  for (const { method, path, headers, body, event } of received) {
    // A redirect is not followed.
    assert.deepEqual([method, path, body], ['POST', '/in?token=hidden', delivery.body])
    assert.deepEqual([headers['content-type'], headers['weir-webhook-id']], ['application/json', delivery.id])
    assert.equal(event.id, delivery.id)
    assert.ok(isGenuine(secret, headers, body))
    assert.ok(!isGenuine(secret, headers, body.replace('50', '51')))
    assert.ok(!isGenuine(`${secret}!`, headers, body))
    assert.match(String(headers['weir-signature']), new RegExp(`^t=${headers['weir-webhook-timestamp']},v1=`))
  }
  assert.deepEqual(await states(sql), [['ops', 'delivered', 4, null]])
  assert.deepEqual(outcomes, ['retry', 'retry', 'retry', 'delivered'])
  assert.ok(logged.length === 1 && /status 500/.test(logged[0] ?? ''))
  assert.ok(!/hidden|c0ffee|threshold/.test(logged.join()))
})

test('a receiver that does not want it any more is not told again', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const receiver = await startReceiver(t)
  receiver.answer = 410
  await putDeliveries(sql, [newDelivery()])
  const { outcomes, logged } = startCourier(t, { sql, urls: { ops: receiver.url } })
  await settled(sql, outcomes, 1)
  assert.deepEqual(await states(sql), [['ops', 'dead', 1, 'status 410']])
  assert.deepEqual([outcomes, receiver.received.length], [['dead'], 1])
  assert.match(logged.join(), /given up/)
})

test('a receiver that says nothing, or is not there, holds up nobody else', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const [mute, well] = [await startReceiver(t), await startReceiver(t)]
  mute.answer = () => undefined
  const percents = Array.from({ length: 12 }, (_, n) => n + 1)
  await putDeliveries(
    sql,
    ['mute', 'gone', 'ops'].flatMap(webhook => percents.map(percent => newDelivery({ webhook, percent }))),
  )
  const urls = { mute: mute.url, gone: 'http://127.0.0.1:1', ops: well.url }
  const posterTimes = { connectMs: 60_000, totalMs: 60_000 }
  const { poster } = startCourier(t, { sql, urls, posterTimes, times: { waitMs: () => 60_000 } })
  await well.whenReceived(12)
  await eventually('those are tried that are not there, and those noted that were taken', async () => {
    const seen = await states(sql)
    const isTried = seen.filter(([webhook, , , error]) => webhook === 'gone' && error !== null)
    return isTried.length + seen.filter(([webhook, state]) => webhook === 'ops' && state !== 'pending').length === 24
  })
  const seen = await states(sql)
  assert.ok(seen.filter(([name]) => name === 'ops').every(([, state]) => state === 'delivered'))
  assert.ok(
    seen
      .filter(([name]) => name === 'gone')
      .every(([, state, , error]) => state === 'pending' && error === 'ECONNREFUSED'),
  )
  // As many as may be under way to one receiver, and no more.
  assert.equal(mute.received.length, 4)
  await poster.close()
  await eventually('what was under way is kept for the next one', async () => {
    const ended = (await states(sql)).filter(([webhook, , , error]) => webhook === 'mute' && error === 'stopped')
    return ended.length >= 4
  })
})

test('a try has its time, and an answer whose end does not come is one', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const receiver = await startReceiver(t)
  receiver.answer = (response, nth) => {
    if (nth === 2) response.writeHead(200).write('x')
  }
  await putDeliveries(sql, [newDelivery()])
  const posterTimes = { connectMs: 1000, totalMs: 100 }
  const { outcomes } = startCourier(t, { sql, urls: { ops: receiver.url }, posterTimes })
  await settled(sql, outcomes, 2)
  assert.deepEqual([outcomes, receiver.received.length], [['retry', 'delivered'], 2])
})

test('what a killed replica had begun is delivered by another after its lease, and what is for nobody waits', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const receiver = await startReceiver(t)
  let isFirst = true
  receiver.answer = response => void (isFirst ? undefined : response.writeHead(200).end())
  await putDeliveries(sql, [newDelivery(), newDelivery({ webhook: 'removed' })])
  // Its lease is over at once.
  const one = startCourier(t, { sql, urls: { ops: receiver.url }, times: { pollMs: 60_000, leaseMs: 0 } })
  one.courier.look()
  await receiver.whenReceived(1)
  isFirst = false
  const two = startCourier(t, { sql, urls: { ops: receiver.url } })
  await receiver.whenReceived(2)
  await eventually('it is delivered', () => two.outcomes.length === 1)
  assert.deepEqual(
    new Set(await states(sql)),
    new Set([
      ['ops', 'delivered', 2, null],
      ['removed', 'pending', 0, null],
    ]),
  )
})
