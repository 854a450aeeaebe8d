import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../src/store/database.ts'
import { onEnd } from '../support/cleanup.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** AuthenticationOk and ReadyForQuery: a login that succeeds, after which the server says nothing more. */
const welcome = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49])

test('a server that falls silent right after the login fails the call, and nothing that nobody asked for', async t => {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.write(welcome))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onEnd(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const database = await openDatabase({
    dataDir: makeTempDir(t),
    databaseUrl: `postgres://weir@127.0.0.1:${port}/weir`,
  })
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listen)
  onEnd(t, () => process.off('unhandledRejection', listen))
  const call = database.sql`select 1`.execute()
  const refused = assert.rejects(call)
  while (sockets.size === 0 || [...sockets].some(({ bytesWritten }) => bytesWritten === 0)) await delay(5)
  // What it says by itself when it has logged in is on the way.
  await delay(50)
  database.renew('silent')
  await refused
  await database.close()
  await delay(50)
  assert.deepEqual(unhandled, [])
})
