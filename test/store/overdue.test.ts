import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import postgres from 'postgres'
import { openDatabase } from '../../src/store/database.ts'
import { DatabaseUnavailableError, withDeadline } from '../../src/store/deadline.ts'
import { onEnd } from '../support/cleanup.ts'
import { copyEmbedded } from '../support/embedded-template.ts'
import { eventually } from '../support/eventually.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const pool = 10

/** A database behind a door; `running` is how many statements are asleep there. */
async function openServer(t: TestContext) {
  const url = new URL(await createDatabase(t))
  const door = await openDoor(t, Number(url.port))
  const behind = new URL(url)
  behind.port = String(door.port)
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: behind.href })
  onEnd(t, () => database.close())
  const watcher = postgres(url.href, { max: 1, fetch_types: false })
  onEnd(t, () => watcher.end())
  const running = async () =>
    (
      await watcher`
        select from pg_stat_activity
        where state = 'active' and pid <> pg_backend_pid() and datname = current_database() and query like '%pg_sleep%'`
    ).length
  return { sql: database.sql, door, running }
}

/** Lets connections through to a port; shut, it resets those that come, and leaves alone those that are there. */
async function openDoor(t: TestContext, to: number) {
  const door = { port: 0, isShut: false, refused: 0 }
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    client.on('error', () => {})
    if (door.isShut) {
      door.refused += 1
      client.resetAndDestroy()
      return
    }
    const inside = connect(to, '127.0.0.1')
    inside.on('error', () => {})
    for (const socket of [client, inside]) sockets.add(socket)
    client.pipe(inside)
    inside.pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  door.port = (server.address() as AddressInfo).port
  onEnd(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return door
}

test('what nobody waits for any more does not run any more, and the pool is there for others', async t => {
  const { sql, running } = await openServer(t)
  // Some wait for a connection, or behind others: they are ended when they have begun.
  const calls = Array.from({ length: 2 * pool }, (_, n) =>
    withDeadline(n % 2 === 0 ? sql`select pg_sleep(600)` : sql`select pg_sleep(${600})`, 50),
  )
  const ended = await Promise.allSettled(calls)
  assert.ok(ended.every(({ status }) => status === 'rejected'))
  await eventually('nothing runs', async () => (await running()) === 0)
  const more = Array.from({ length: 2 * pool }, async (_, n) => (await withDeadline(sql`select ${n}::integer as n`))[0])
  assert.deepEqual(
    (await Promise.all(more)).map(row => row?.['n']),
    Array.from({ length: 2 * pool }, (_, n) => n),
  )
})

test('calls whose time is up before they were sent cost no connection', async t => {
  const { sql } = await openServer(t)
  const late = await Promise.allSettled(Array.from({ length: pool }, () => withDeadline(sql`select 1`, 0)))
  assert.ok(late.every(({ status }) => status === 'rejected'))
  const later = Array.from({ length: pool }, () => withDeadline(sql`select 1 as one`))
  assert.ok((await Promise.all(later)).every(([row]) => row?.['one'] === 1))
})

test('a request to cancel that does not reach the server is made again, and costs nobody anything', async t => {
  const { sql, door, running } = await openServer(t)
  const call = withDeadline(sql`select pg_sleep(600)`, 1000)
  const refused = assert.rejects(call, DatabaseUnavailableError)
  await eventually('it runs', async () => (await running()) === 1)
  door.isShut = true
  await refused
  await eventually('two were refused', () => door.refused >= 2)
  door.isShut = false
  await eventually('nothing runs', async () => (await running()) === 0)
})

test('a statement that was cancelled is no sign that a connection was lost', async t => {
  const { sql } = await openServer(t)
  await assert.rejects(withDeadline(sql`select pg_cancel_backend(pg_backend_pid()), pg_sleep(600)`), error => {
    assert.ok(error instanceof DatabaseUnavailableError && error.cause === undefined)
    return true
  })
})

test('the embedded database goes on with what runs, and then with what comes after it', async t => {
  const dataDir = makeTempDir(t)
  await copyEmbedded(dataDir)
  const database = await openDatabase({ dataDir })
  onEnd(t, () => database.close())
  const { sql } = database
  await sql`create temporary table seen (n integer)`
  const busy = sql`with long as (select count(*) from generate_series(1, 2000000)) insert into seen select 1 from long`
  await assert.rejects(withDeadline(busy, 50), DatabaseUnavailableError)
  // The same session, which has what was made in it.
  assert.equal((await withDeadline(sql`insert into seen values (2) returning n`, 60_000))[0]?.['n'], 2)
  await busy
  assert.deepEqual(
    (await sql`select n from seen order by n`).map(row => row['n']),
    [1, 2],
  )
})
