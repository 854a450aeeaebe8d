import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { test } from 'node:test'
import type { Redis } from 'ioredis'
import { Fault } from '../../src/backend/fault.ts'
import { describeError, reasonOf } from '../../src/log/describe-error.ts'
import { connectRedis } from '../../src/store/redis-client.ts'
import { happens } from '../support/inbox.ts'
import { createRedisDatabase } from '../support/services.ts'

const canary = 'canary-5f1d3a'
const hidden = (error: unknown) => assert.ok(!JSON.stringify(describeError(error)).includes(canary))
function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('O01 the words of libraries, of Node and of V8 are not told: they repeat what they were given', () => {
  hidden(thrownBy(() => JSON.parse(canary)))
  hidden(thrownBy(() => new URL(canary)))
  hidden(thrownBy(() => Buffer.from('', canary as BufferEncoding)))
  hidden(
    thrownBy(
      () => (Object.create(null) as Record<string, () => void>)[canary]?.call(null) ?? decodeURIComponent(`%${canary}`),
    ),
  )
  const foreign = Object.assign(new Error(`password of postgres://u:${canary}@h`), {
    query: canary,
    parameters: [canary],
  })
  foreign.stack = `Error: ${foreign.message}\n    at Object.ours (file:///srv/x/node_modules/pg/index.js:1:2)`
  hidden(foreign)
  assert.deepEqual(describeError(foreign).stack, ['Object.ours (file:///srv/x/node_modules/pg/index.js:1:2)'])
})

test('O01 nor is what looks like a place in the words of an error', () => {
  const error = new Error(`first\n    at ${canary} (file:///srv/weir/src/app.ts:1:2)`)
  const described = describeError(Object.assign(error, { name: 'SyntaxError' }))
  assert.ok(!described.stack?.join().includes(canary))
  const late = new Error('before')
  late.message = canary
  late.stack = `Error: before ${'x'}\n    at ${canary} (file:///x.ts:1:1)`
  hidden(late)
})

test('O01 a database tells a code and what of its own it is about, never a value', () => {
  const error = Object.assign(new Error(`invalid input syntax for type uuid: "${canary}"`), {
    name: 'PostgresError',
    ...{ code: '22P02', severity: 'ERROR', detail: canary, where: canary, query: canary, table_name: 'api_keys' },
  })
  hidden(error)
  const { code, table_name: table } = describeError(error)
  assert.deepEqual([code, table], ['22P02', 'api_keys'])
  const denied = Object.assign(new Error(`permission denied for "${canary}"`), { name: 'PostgresError', code: '42501' })
  assert.equal(reasonOf(denied), 'permission denied for "…"')
})

test('a system error tells what failed and where to, and an error of ours its own words and its cause', async () => {
  const socket = createConnection(1, '127.0.0.1')
  const [refused] = await happens(socket, 'error')
  assert.equal(reasonOf(refused), 'connect ECONNREFUSED 127.0.0.1:1')
  assert.match(reasonOf(thrownBy(() => readFileSync('/nowhere'))), /^open ENOENT \/nowhere$/)
  const fault = describeError(new Fault('connect', 'no connection', { cause: refused }))
  assert.deepEqual([fault.type, fault.message, fault['kind']], ['Fault', 'no connection', 'connect'])
  assert.equal(fault.cause?.code, 'ECONNREFUSED')
  assert.ok(fault.stack?.[0]?.includes('describe-error.test.ts'))
  for (const thrown of [canary, { canary }, null, undefined, 5]) hidden(thrown)
})

test('O01 Redis is not asked to repeat its password', async t => {
  const url = new URL(await createRedisDatabase(t))
  url.username = 'nobody'
  url.password = canary
  const redis: Redis = connectRedis(url.href)
  const [error] = await happens(redis, 'error')
  redis.on('error', () => undefined)
  redis.disconnect()
  hidden(error)
  assert.match(reasonOf(error), /WRONGPASS/)
})
