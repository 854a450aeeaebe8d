import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chatPath, post, startCached } from '../support/cached.ts'
import { eventually } from '../support/eventually.ts'
import { connect } from '../support/limit-redis.ts'
import { startRedis } from '../support/redis-server.ts'
import { createRedisDatabase } from '../support/services.ts'

const nameOf = (key: string | null) => `weir:{answers}:answer:${key}`

test('C07: an entry that was cut, changed, swapped, blown up or is of another kind is a miss and gone, and no request fails', async t => {
  const redisUrl = await createRedisDatabase(t)
  const world = await startCached(t, { redisUrl, more: { cache: { maxEntry: '64KiB' } } })
  const { gateway, backend } = world
  const [one, two] = [await world.caller(), await world.caller()]
  const redis = await connect(t, redisUrl)
  await post(gateway, two.key)
  const foreign = (await post(gateway, two.key)).headers.get('x-weir-cache-key')
  const first = await post(gateway, one.key)
  const key = first.headers.get('x-weir-cache-key')
  const whole = await redis.getBuffer(nameOf(key))
  assert.ok(whole !== null)
  const spoilings: Record<string, () => Promise<unknown>> = {
    truncated: () => redis.set(nameOf(key), whole.subarray(0, whole.length - 5)),
    'without a head': () => redis.set(nameOf(key), whole.subarray(10)),
    garbled: () =>
      redis.set(nameOf(key), Buffer.from(whole.map((byte, at) => (at === whole.length - 40 ? byte ^ 1 : byte)))),
    'of another version': () => redis.set(nameOf(key), Buffer.from(whole.map((byte, at) => (at === 2 ? 99 : byte)))),
    "another account's": async () => redis.set(nameOf(key), (await redis.getBuffer(nameOf(foreign))) ?? ''),
    'JSON of somebody': () => redis.set(nameOf(key), '{"choices":[{"message":{"content":"poison"}}]}'),
    huge: () => redis.set(nameOf(key), Buffer.alloc(20 * 1024 * 1024, 0x61)),
    empty: () => redis.set(nameOf(key), ''),
    'a list': async () => {
      await redis.del(nameOf(key))
      await redis.rpush(nameOf(key), 'x')
    },
  }
  for (const [name, spoil] of Object.entries(spoilings)) {
    await eventually('it is kept', async () => (await post(gateway, one.key)).cache === 'hit')
    await spoil()
    const before = backend.exchangesTo(chatPath).length
    const { status, cache, body } = await post(gateway, one.key)
    assert.deepEqual([status, cache], [200, 'miss'], name)
    assert.deepEqual(body['choices'], first.body['choices'], name)
    assert.equal(backend.exchangesTo(chatPath).length, before + 1, name)
  }
  const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
  assert.match(exposed, /weir_cache_failures_total\{kind="garbage"\} [1-9]/)
  assert.deepEqual(
    gateway.logLines.filter(({ level }) => Number(level) >= 50),
    [],
  )
})

test('C07: Redis that is frozen or away is a miss at once, and no request fails; what was kept is found again', async t => {
  const redis = await startRedis(t)
  const world = await startCached(t, { redisUrl: redis.url })
  const { gateway } = world
  const { key } = await world.caller()
  await post(gateway, key)
  await eventually('it is kept', async () => (await post(gateway, key)).cache === 'hit')
  redis.freeze()
  for (let n = 0; n < 10; n++) {
    const { status, cache } = await post(gateway, key)
    assert.deepEqual([status, cache], [200, 'miss'])
  }
  redis.thaw()
  await eventually('it is found again', async () => (await post(gateway, key)).cache === 'hit')
  await redis.kill()
  for (let n = 0; n < 10; n++) assert.equal((await post(gateway, key)).status, 200)
  const refused = await gateway.fetch(`${gateway.url}/admin/cache?model=tinychat`, {
    method: 'DELETE',
    headers: { authorization: 'Bearer test-admin-key-0123456789-0123456789' },
  })
  assert.equal(refused.status, 503)
  const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
  assert.match(exposed, /weir_cache_failures_total\{kind="unavailable"\} [1-9]/)
})
