import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { startPostgres } from './postgres-server.ts'
import { startRedis } from './redis-server.ts'
import { createDatabase, createRedisDatabase, postgresUrl } from './services.ts'

test('two tests have two PostgreSQL databases, dropped with their connections at the end', async t => {
  let name = ''
  await t.test('inner', async inner => {
    const [first, second] = await Promise.all([createDatabase(inner), createDatabase(inner)])
    const [one, two] = [postgres(first, { max: 1 }), postgres(second, { max: 1 })]
    await one`CREATE TABLE only_here (id int)`
    assert.deepEqual([...(await two`SELECT to_regclass('only_here') AS found`)], [{ found: null }])
    name = new URL(first).pathname.slice(1)
    await Promise.all([one.end(), two.end()])
  })
  const admin = postgres(postgresUrl(), { max: 1 })
  assert.deepEqual([...(await admin`SELECT 1 FROM pg_database WHERE datname = ${name}`)], [])
  await admin.end()
})

test('two tests have two Redis databases', async t => {
  const [one, two] = [new Redis(await createRedisDatabase(t)), new Redis(await createRedisDatabase(t))]
  await one.set('key', 'value')
  assert.equal(await two.get('key'), null)
  one.disconnect()
  two.disconnect()
})

test('a PostgreSQL of the test keeps what it acknowledged over kill -9, and its folder goes with the test', async t => {
  let folder = ''
  await t.test('inner', async inner => {
    const server = await startPostgres(inner)
    folder = server.folder
    const sql = postgres(server.url, { max: 1 })
    await sql`CREATE TABLE kept (id int)`
    await sql`INSERT INTO kept VALUES (1)`
    await server.kill()
    await sql.end({ timeout: 0 })
    await server.start()
    const again = postgres(server.url, { max: 1 })
    assert.deepEqual([...(await again`SELECT id FROM kept`)], [{ id: 1 }])
    await again.end()
  })
  assert.equal(existsSync(folder), false)
})

test('a Redis of the test can be frozen, thawed, killed and started again on its port', async t => {
  const server = await startRedis(t)
  const redis = new Redis(server.url, { commandTimeout: 100, maxRetriesPerRequest: 0, lazyConnect: true })
  redis.on('error', () => undefined)
  await redis.connect()
  assert.equal(await redis.ping(), 'PONG')
  server.freeze()
  await assert.rejects(redis.ping(), /timed out/)
  server.thaw()
  assert.equal(await redis.ping(), 'PONG')
  redis.disconnect()
  await server.kill()
  await server.start()
  const again = new Redis(server.url)
  assert.equal(await again.call('DEBUG', 'SLEEP', '0'), 'OK')
  again.disconnect()
})
