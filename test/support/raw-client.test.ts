import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { replay } from './behaviours.ts'
import { chat } from './completion.ts'
import { connectRaw, splitEvents } from './raw-client.ts'
import { startScriptedBackend } from './scripted-backend.ts'

test('two answers on one connection, read one by one and all at once', async t => {
  const backend = await startScriptedBackend(t, exchange => exchange.json(200, exchange.request.json))
  const client = await connectRaw(t, backend.url)
  client.request('POST', '/a', { body: { n: 1 } })
  const first = await client.response()
  assert.deepEqual([first.status, first.reason, first.header('content-type')], [200, 'OK', 'application/json'])
  assert.equal(first.text, '{"n":1}')
  const chunked = 'POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"n\r\n4\r\n":2}\r\n0\r\n\r\n'
  client.send(chunked)
  client.send('POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"n":3}')
  assert.deepEqual(
    (await client.responses(100)).map(answer => [answer.status, answer.text]),
    [
      [200, '{"n":2}'],
      [200, '{"n":3}'],
    ],
  )
  assert.equal(backend.sockets.opened, 1)
})

test('events are whole however the stream was cut', async t => {
  const backend = await startScriptedBackend(t, replay('022-chat-stream-usage', { pieces: 11 }))
  const client = await connectRaw(t, backend.url)
  client.request('POST', '/v1/chat/completions', { body: {} })
  await client.head()
  const events = await Array.fromAsync(client.events())
  assert.equal(events.length, 11)
  assert.equal(events.at(-1)?.data, '[DONE]')
  assert.equal(await client.ended, 'fin')
})

test('an event reader takes comments and data of several lines, and refuses half an event', async () => {
  async function* pieces(text: string): AsyncGenerator<Buffer> {
    yield Buffer.from(text)
  }
  const [ping, data] = await Array.fromAsync(splitEvents(pieces(': ping\n\ndata: a\ndata: b\n\n')))
  assert.deepEqual([ping?.comment, ping?.data, data?.data], ['ping', undefined, 'a\nb'])
  await assert.rejects(Array.fromAsync(splitEvents(pieces('data: a'))), /inside an event/)
})

test('a paused client holds the backend up, and gets everything after resuming', async t => {
  const big = 'x'.repeat(100_000)
  const backend = await startScriptedBackend(t, chat({ tokens: Array.from({ length: 300 }, () => big) }))
  const client = await connectRaw(t, backend.url)
  client.request('POST', '/v1/chat/completions', { body: { stream: true } })
  await client.head()
  client.pause()
  const { eventsSent } = await backend.nextRequest()
  assert.ok(eventsSent < 300)
  client.resume()
  let bytes = 0
  for await (const piece of client.pieces()) bytes += piece.length
  assert.ok(bytes > 30_000_000)
})

test('a client that is reset is told apart from one that is closed', async t => {
  const backend = await startScriptedBackend(t, exchange => exchange.stall())
  for (const [how, leave] of [
    ['reset', 'reset'],
    ['fin', 'destroy'],
  ] as const) {
    const client = await connectRaw(t, backend.url)
    client.request('GET', '/')
    await backend.nextRequest()
    client[leave]()
    const closing = await backend.nextClose()
    assert.deepEqual([closing.by, closing.how], ['client', how])
  }
})

test('every recording is an answer that a strict client can read', async t => {
  const names = readdirSync(new URL('../fixtures/llama-server', import.meta.url)).filter(name => name.endsWith('.http'))
  assert.ok(names.length > 40)
  for (const name of names.map(file => file.replace('.http', ''))) {
    const backend = await startScriptedBackend(t, replay(name))
    const client = await connectRaw(t, backend.url)
    client.request('GET', '/')
    const reading = client.response()
    // The server was killed while it sent these.
    if (name.startsWith('220-')) await assert.rejects(reading, /cut short/)
    else assert.ok((await reading).body.length > 0, name)
  }
})
