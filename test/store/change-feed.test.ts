import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import type { Change } from '../../src/domain/change.ts'
import { ChangeReceiver, ChangeSender, receiverOptions } from '../../src/store/change-feed.ts'
import { connectRedis } from '../../src/store/redis-client.ts'
import { onEnd } from '../support/cleanup.ts'
import { startRedis } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

const change: Change = { kind: 'key', id: 'some-key' }

function open(t: TestContext, url: string) {
  const publisher = connectRedis(url)
  const subscriber = connectRedis(url, receiverOptions)
  for (const client of [publisher, subscriber]) client.on('error', () => {})
  const received: Change[] = []
  const warnings: unknown[] = []
  let missed = 0
  const sender = new ChangeSender(publisher, { warn: details => warnings.push(details) })
  const receiver = new ChangeReceiver(subscriber, {
    changed: each => received.push(each),
    missed: () => {
      missed += 1
    },
  })
  onEnd(t, () => {
    receiver.stop()
    sender.stop()
    publisher.disconnect()
  })
  return { sender, received, warnings, missed: () => missed, isReady: () => publisher.status === 'ready' && missed > 0 }
}

test('what one sends all receive; what is no change is passed over', async t => {
  const redis = await startRedis(t)
  const [one, two] = [open(t, redis.url), open(t, redis.url)]
  await until('both listen', () => one.isReady() && two.isReady())
  const stranger = new Redis(redis.url)
  onEnd(t, () => stranger.disconnect())
  for (const text of ['', 'null', '{', '{"kind":"model","id":"x"}', '{"kind":"key"}', '{"kind":"key","id":7}'])
    await stranger.publish('weir:changes', text)
  await one.sender.send(change)
  await until('both know', () => one.received.length > 0 && two.received.length > 0)
  assert.deepEqual([one.received, two.received], [[change], [change]])
})

test('who was away is told that something may have been missed; what could not be sent comes later', async t => {
  const redis = await startRedis(t)
  const feed = open(t, redis.url)
  await until('it listens', feed.isReady)
  await redis.kill()
  await feed.sender.send(change)
  assert.deepEqual(feed.warnings, [change])
  assert.equal(feed.missed(), 1)
  await redis.start()
  await until('it listens again', () => feed.missed() === 2)
  await until('the change arrives', () => feed.received.length > 0)
})

test('a server that has gone without a word is left, and that says that something may have been missed', async t => {
  const redis = await startRedis(t)
  const feed = open(t, redis.url)
  await until('it listens', feed.isReady)
  redis.freeze()
  // The pulse runs out of time, and new connections are not answered either.
  const startedAt = performance.now()
  await feed.sender.send(change)
  assert.ok(performance.now() - startedAt < 500, 'whoever changes something does not wait for Redis')
  await until('the connection is given up', () => !feed.isReady(), 5000)
  redis.thaw()
  await until('it listens again', () => feed.missed() === 2)
  await until('the change arrives', () => feed.received.some(({ id }) => id === change.id))
})
