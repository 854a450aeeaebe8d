import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { RedisResponses } from '../../src/store/responses.ts'
import { eventually } from '../support/eventually.ts'
import { connect } from '../support/limit-redis.ts'
import { startRedis } from '../support/redis-server.ts'
import { keep, newKey, type StoreBounds, testResponses, textsOf } from '../support/response-conformance.ts'
import { createRedisDatabase } from '../support/services.ts'

async function build(t: TestContext, { maxBytes = 1_000_000, maxEntryBytes = 10_000 }: StoreBounds = {}) {
  const client = await connect(t, await createRedisDatabase(t))
  const seen = { bytes: 0, evicted: 0 }
  const store = new RedisResponses({
    client,
    maxBytes,
    maxEntryBytes,
    onBytes: bytes => {
      seen.bytes = bytes
    },
    onEvicted: entries => {
      seen.evicted += entries
    },
  })
  return { client, store, seen }
}

testResponses('in Redis', build)

const nameOf = (key: string) => `weir:{answers}:answer:${key}`

test('C07: what is no entry of ours is removed from Redis when it is found: too large, or of another type', async t => {
  const { client, store } = await build(t)
  const [huge, list, empty, fine] = [newKey(), newKey(), newKey(), newKey()]
  await client.set(nameOf(huge), 'x'.repeat(20_000))
  await client.rpush(nameOf(list), 'x')
  await client.set(nameOf(empty), '')
  await keep(store, { [fine]: 'fine' })
  assert.deepEqual(await textsOf(store, [huge, list, empty, fine]), [null, null, null, 'fine'])
  assert.deepEqual(await client.exists(nameOf(huge), nameOf(list)), 0)
})

test('C07: what is in the place of the index or of a moment and is none is removed, and the cache goes on', async t => {
  const { client, store, seen } = await build(t)
  await client.set('weir:{answers}:index', 'x')
  await client.set('weir:{answers}:sums', 'x')
  await client.rpush('weir:{answers}:account:a', 'x')
  await client.rpush('weir:{answers}:model:m', 'x')
  const key = newKey()
  await keep(store, { [key]: 'y' })
  assert.deepEqual(await textsOf(store, [key]), ['y'])
  await client.del('weir:{answers}:sums')
  await client.hset('weir:{answers}:sums', 'bytes', 'x')
  await keep(store, { [key]: 'z' })
  assert.deepEqual(await textsOf(store, [key]), ['z'])
  assert.ok(seen.bytes > 0 && seen.bytes < 2000, `${seen.bytes} bytes`)
  await client.set('weir:{answers}:index', 'x')
  await store.remove(key)
  assert.deepEqual(await textsOf(store, [key]), [null])
})

test('entries whose time is over, or that somebody removed, do not count for ever', async t => {
  const { client, store, seen } = await build(t)
  const keys = Array.from({ length: 20 }, newKey)
  for (const key of keys) await keep(store, { [key]: 'x'.repeat(1000) }, { ttlMs: 30 })
  await client.del(nameOf(keys[0] ?? ''))
  await eventually('all to go', async () => (await client.exists(...keys.map(nameOf))) === 0)
  const last = newKey()
  await keep(store, { [last]: 'y' })
  assert.equal(await client.zcard('weir:{answers}:index'), 1)
  assert.ok(seen.bytes < 1000, `${seen.bytes} bytes`)
  await store.remove(last)
  assert.equal(seen.bytes, 0)
})

test('an entry that is kept again after its time, or after somebody removed it, counts once', async t => {
  const { client, store, seen } = await build(t)
  const [over, gone] = [newKey(), newKey()]
  const keepBoth = async () => {
    await keep(store, { [over]: 'x'.repeat(1000) }, { ttlMs: 30 })
    await keep(store, { [gone]: 'x'.repeat(1000) })
  }
  await keepBoth()
  const once = seen.bytes
  for (let n = 0; n < 3; n++) {
    await eventually('it to be over', async () => (await client.exists(nameOf(over))) === 0)
    await client.del(nameOf(gone))
    await keepBoth()
    assert.equal(seen.bytes, once)
  }
})

test('all replicas together stay within the bytes, also where their clocks are an hour apart', async t => {
  const { client, store, seen } = await build(t, { maxBytes: 20_000 })
  const keys = Array.from({ length: 60 }, newKey)
  const nowMs = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now: nowMs })
  for (const [index, key] of keys.entries()) {
    // Whoever asks by turns is the one or the other replica.
    t.mock.timers.setTime(nowMs + (index % 2) * 3_600_000)
    await keep(store, { [key]: 'x'.repeat(1000) })
  }
  const kept = await client.exists(...keys.map(nameOf))
  assert.ok(kept >= 10 && kept < 20, `${kept} are kept`)
  assert.deepEqual([seen.evicted, await client.zcard('weir:{answers}:index')], [60 - kept, kept])
})

test('a batch of many entries, or one that is as large as thousands of those that are there, makes room for all of itself', async t => {
  const maxBytes = 2_000_000
  const { client, store, seen } = await build(t, { maxBytes, maxEntryBytes: 1_000_000 })
  const batch = () => Object.fromEntries(Array.from({ length: 2048 }, () => [newKey(), 'x'.repeat(100)]))
  for (let n = 0; n < 3; n++) {
    await keep(store, batch())
    assert.ok(seen.bytes <= maxBytes, `${seen.bytes} bytes after ${n + 1} batches`)
  }
  await keep(store, { [newKey()]: 'x'.repeat(1_000_000) })
  assert.ok(seen.bytes <= maxBytes, `${seen.bytes} bytes`)
  assert.equal((await client.keys(nameOf('*'))).length, 3 * 2048 + 1 - seen.evicted)
})

test('keys have an end, so that a cache that nobody uses any more goes', async t => {
  const { client, store } = await build(t)
  await keep(store, { [newKey()]: 'x' })
  await store.forget({ kind: 'model', model: 'm' })
  const lasting: string[] = []
  for (const key of await client.keys('*')) if ((await client.pttl(key)) < 0) lasting.push(key)
  assert.deepEqual(lasting, [])
})

test('a Redis user with no more than the commands that README names is enough', async t => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, text = ''] = /- \*\*The Redis user\*\* of Weir may do (.*?), on `weir:\*`/s.exec(readme) ?? []
  const commands = [...text.matchAll(/`([A-Z]+)`/g)].map(([, name = '']) => `+${name.toLowerCase()}`)
  const server = await startRedis(t)
  const admin = await connect(t, server.url)
  await admin.acl('SETUSER', 'weir', 'on', '>secret', '~weir:*', '-@all', ...commands)
  const client = await connect(t, server.url.replace('redis://', 'redis://weir:secret@'))
  const noted = { onBytes: () => undefined, onEvicted: () => undefined }
  const store = new RedisResponses({ client, maxBytes: 4096, maxEntryBytes: 3000, ...noted })
  const keys = [newKey(), newKey(), newKey()]
  for (const key of keys) await keep(store, { [key]: 'x'.repeat(1000) })
  await store.remove(keys[2] ?? '')
  await store.forget({ kind: 'model', model: 'm' })
  assert.deepEqual(await textsOf(store, keys), [null, null, null])
  assert.deepEqual(await admin.call('ACL', 'LOG'), [])
})
