import { equal } from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connectRedis } from '../../src/store/redis-client.ts'
import { onEnd } from '../support/cleanup.ts'
import { eventually } from '../support/eventually.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { connect } from '../support/limit-redis.ts'
import { createRedisDatabase } from '../support/services.ts'

test('L07 no command waits for the answer to an earlier one: a distant Redis costs its distance once', async t => {
  const url = await createRedisDatabase(t)
  const direct = await connect(t, url)
  const proxy = await startFaultProxy(t, { url })
  const throughProxy = new URL(url)
  throughProxy.port = String(proxy.port)
  const client = connectRedis(throughProxy.href, { commandTimeout: 5000 })
  onEnd(t, () => client.disconnect())
  await once(client, 'ready')
  proxy.latency(500)
  let isFirstAnswered = false
  const first = client.incr('first').then(() => {
    isFirstAnswered = true
  })
  await eventually('the first to be done', async () => (await direct.get('first')) === '1')
  const second = client.incr('second')
  await eventually('the second to be done', async () => (await direct.get('second')) === '1')
  equal(isFirstAnswered, false)
  proxy.clear()
  await Promise.all([first, second])
})
