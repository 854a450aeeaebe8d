import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { migrate } from '../../src/store/migrate.ts'
import { onEnd } from './cleanup.ts'
import type { Daemon } from './daemon.ts'
import { startPostgresServer } from './postgres-server.ts'
import { startRedisServer } from './redis-server.ts'
import { makeScratchFolder, removeScratchFolder } from './scratch.ts'

// The runner passes its environment on to the test files it starts.
const POSTGRES = 'WEIR_TEST_POSTGRES_URL'
const REDIS = 'WEIR_TEST_REDIS_URL'
const MIGRATED = 'weir_migrated'
/** Servers that are there already, such as containers beside a job of CI: used where both are named, and left running. */
const GIVEN_POSTGRES = 'TEST_POSTGRES_URL'
const GIVEN_REDIS = 'TEST_REDIS_URL'
/** In database 0: the numbers of those that no test has. */
const FREE = 'databases-free'

let running: Daemon[] = []
let scratch: string | undefined

/** Called once by the test runner before the first file: starts one PostgreSQL and one Redis for all of them. */
export async function globalSetup(): Promise<void> {
  // What a file imports is compiled once and not in each of the processes: half of what most of them take to start.
  process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('../../node_modules/.cache/compile', import.meta.url))
  const onDisk = process.env['WEIR_TEST_ON_DISK'] ?? 'nothing'
  const { TMPDIR = '/tmp' } = process.env
  if (onDisk !== 'all') {
    scratch = makeScratchFolder()
    process.env['TMPDIR'] = scratch
  }
  const { [GIVEN_POSTGRES]: givenPostgres, [GIVEN_REDIS]: givenRedis } = process.env
  if (givenPostgres !== undefined && givenRedis !== undefined) {
    if (onDisk === 'files') process.env['TMPDIR'] = TMPDIR
    await prepare(givenPostgres, givenRedis)
    return
  }
  const [sql, redis] = await Promise.allSettled([startPostgresServer(), startRedisServer()])
  // What is measured is on the disk that a gateway would have; the databases make nothing certain in any case.
  if (onDisk === 'files') process.env['TMPDIR'] = TMPDIR
  running = [sql, redis].flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  if (sql.status === 'rejected' || redis.status === 'rejected') {
    await globalTeardown()
    throw sql.status === 'rejected' ? sql.reason : redis.status === 'rejected' && redis.reason
  }
  await prepare(sql.value.url, redis.value.url)
}

async function prepare(sqlUrl: string, redisUrl: string): Promise<void> {
  process.env[POSTGRES] = sqlUrl
  process.env[REDIS] = redisUrl
  await makeTemplate()
  await runRedis(redisUrl, async redis => {
    const [, count] = await redis.config('GET', 'databases')
    const free = Array.from({ length: Number(count) - 1 }, (_, index) => index + 1)
    await redis.multi().del(FREE).sadd(FREE, free).exec()
  })
}

/** Called by the runner at the end and on SIGINT and SIGTERM; the reapers do it when the runner is killed. */
export async function globalTeardown(): Promise<void> {
  await Promise.all(running.splice(0).map(server => server.remove()))
  if (scratch !== undefined) removeScratchFolder(scratch)
}

/** The shared PostgreSQL's maintenance database. Tests want `createDatabase`. */
export function postgresUrl(): string {
  return getAddress(POSTGRES)
}

/** The shared Redis, database 0. Tests that write want `createRedisDatabase`. */
export function redisUrl(): string {
  return getAddress(REDIS)
}

/** An empty PostgreSQL database of the test's own, dropped with all its connections when the test ends. */
export function createDatabase(t: TestContext): Promise<string> {
  return copyDatabase(t, 'template1')
}

/** The same with Weir's tables, which takes a quarter of the time of making them anew. */
export function createMigratedDatabase(t: TestContext): Promise<string> {
  return copyDatabase(t, MIGRATED)
}

async function copyDatabase(t: TestContext, template: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  // Copied through the log, as is the default, it would fill that and the server's few buffers each time.
  await runSql(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`)
  onEnd(t, () => runSql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const url = new URL(postgresUrl())
  url.pathname = name
  return url.href
}

/** An empty Redis database of the test's own (keys are apart; scripts, settings and CLIENT PAUSE are the server's). */
export async function createRedisDatabase(t: TestContext): Promise<string> {
  const number = await runRedis(redisUrl(), redis => redis.spop(FREE))
  if (number === null) throw new Error('tests have taken all databases of the shared Redis')
  const url = `${redisUrl()}/${number}`
  onEnd(t, async () => {
    await runRedis(url, redis => redis.flushdb())
    await runRedis(redisUrl(), redis => redis.sadd(FREE, number))
  })
  return url
}

async function makeTemplate(): Promise<void> {
  await runSql(`DROP DATABASE IF EXISTS ${MIGRATED} WITH (FORCE)`)
  await runSql(`CREATE DATABASE ${MIGRATED}`)
  const url = new URL(postgresUrl())
  url.pathname = MIGRATED
  const sql = postgres(url.href, { max: 1, onnotice: () => undefined })
  await migrate(sql)
  await sql.end()
}

function getAddress(name: string): string {
  const url = process.env[name]
  if (url === undefined) {
    throw new Error(
      'No database is running: start tests by `npm test`, or with --test-global-setup=test/support/services.ts',
    )
  }
  return url
}

async function runSql(statement: string): Promise<void> {
  const sql = postgres(postgresUrl(), { max: 1, onnotice: () => undefined })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function runRedis<T>(url: string, command: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await command(redis)
  } finally {
    redis.disconnect()
  }
}
