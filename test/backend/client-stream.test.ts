import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ClientStream, type ClientStreamEvents } from '../../src/backend/client-stream.ts'
import { onEnd } from '../support/cleanup.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'

const times = { commitAfterMs: 60_000, heartbeatMs: 60_000, stallMs: 100 }
const silent: ClientStreamEvents = { onCommit: () => {}, onPressure: () => {}, onStall: () => {} }

/** A reply under way, and the caller who waits for it. */
async function openReply(t: TestContext): Promise<{ raw: ServerResponse; client: RawClient }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  onEnd(t, () => server.close())
  const requested = once(server, 'request')
  const client = await connectRaw(t, `http://127.0.0.1:${port}`)
  client.request('GET', '/')
  const [, raw] = (await requested) as [unknown, ServerResponse]
  return { raw, client }
}

// More than the kernel keeps between two sockets.
const flood = Buffer.alloc(10 * 1024 * 1024, ': ping\n\n')

test('S07 a caller who does not take the last of a stream that has ended is reported as stalled', async t => {
  const { raw, client } = await openReply(t)
  client.pause()
  const stalled = Promise.withResolvers<void>()
  const stream = new ClientStream(raw, {}, times, { ...silent, onStall: stalled.resolve })
  stream.write(flood)
  stream.end()
  await stalled.promise
})

test('a caller who takes all of a stream is not, and nothing goes on ticking', async t => {
  const { raw, client } = await openReply(t)
  const stalls: string[] = []
  const patient = { ...times, stallMs: 10_000 }
  const stream = new ClientStream(raw, {}, patient, { ...silent, onStall: () => stalls.push('stall') })
  stream.write(flood)
  stream.end()
  const answer = await client.response()
  assert.equal(answer.body.length, flood.length)
  if (!raw.closed) await once(raw, 'close')
  assert.deepEqual(stalls, [])
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'))
})
