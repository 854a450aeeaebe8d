import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import fastify from 'fastify'
import redisPlugin from '../../plugins/redis.ts'
import { onEnd } from '../support/cleanup.ts'
import { startRedis } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

async function build(t: TestContext, redisUrl?: string) {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: line => lines.push(line) } } })
  onEnd(t, () => app.close())
  const stores = { dataDir: '.weir', migrate: 'new' as const, replicas: 1, ...(redisUrl !== undefined && { redisUrl }) }
  const startedAt = performance.now()
  await app.register(redisPlugin, { config: { stores } })
  await app.ready()
  const said = () => lines.map(line => JSON.parse(line).msg).filter(message => /Redis/.test(message))
  return { app, lines, said, bootMs: performance.now() - startedAt }
}

test('without a Redis there is none, and it says so', async t => {
  const { app } = await build(t)
  assert.equal(app.redisHealth.state, 'absent')
  assert.equal(app.hasDecorator('redis'), false)
})

test('G05: it boots with Redis down, heals by itself, and fails at once in between', async t => {
  const server = await startRedis(t)
  await server.kill()
  const { app, said, bootMs } = await build(t, server.url)
  assert.ok(bootMs < 500, `boot took ${bootMs} ms`)
  assert.notEqual(app.redisHealth.state, 'ready')
  await assert.rejects(app.redis.ping())

  await server.start()
  await until('Redis answers', () => app.redisHealth.state === 'ready')
  assert.equal(await app.redis.ping(), 'PONG')
  await app.redis.set('key', 'value')
  assert.deepEqual(await app.redis.multi().get('key').incr('count').exec(), [
    [null, 'value'],
    [null, 1],
  ])
  assert.equal(await app.redis.eval('return redis.call("get", KEYS[1])', 1, 'key'), 'value')

  server.freeze()
  const startedAt = performance.now()
  await assert.rejects(app.redis.incr('count'), /timed out/)
  assert.ok(performance.now() - startedAt < 250)
  server.thaw()

  await server.kill()
  await until('it is found to be down', () => app.redisHealth.state === 'down')
  await assert.rejects(app.redis.ping())
  await server.start()
  await until('it is back', () => app.redisHealth.state === 'ready')
  assert.equal(await app.redis.ping(), 'PONG')

  // The last one is its own farewell, of which there is nothing to say.
  const ended = once(app.redis, 'end')
  await app.close()
  await ended
  assert.deepEqual(said(), [
    'Redis is down; trying again',
    'Redis answers',
    'Redis is down; trying again',
    'Redis answers',
  ])
})

test('a wrong password is said without the password', async t => {
  const server = await startRedis(t, { args: ['--requirepass', 'the-right-one'] })
  const url = new URL(server.url)
  url.password = 'the-wrong-one'
  const { app, lines, said } = await build(t, url.href)
  await until('it has been told', () => said().length > 0)
  assert.notEqual(app.redisHealth.state, 'ready')
  assert.match(lines.join(''), /WRONGPASS|NOAUTH/)
  assert.doesNotMatch(lines.join(''), /the-wrong-one/)
})
