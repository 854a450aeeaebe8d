import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hello } from '../support/api-error.ts'
import { llamaServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const authorized = { authorization: `Bearer ${adminKey}` }

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t)
  return { backend, gateway: await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } }) }
}

test('what is not HTTP is answered in the same shape, once, and the connection ends', async t => {
  const { gateway } = await build(t)
  const garbage = [
    ['GARBAGE\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nConnection: close\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ] as const
  for (const [bytes, status] of garbage) {
    const client = await connectRaw(t, gateway.url)
    client.send(Buffer.from(bytes, 'latin1'))
    const answer = await client.response()
    assert.equal(answer.status, status, bytes.slice(0, 60))
    assert.match(answer.header('content-type') ?? '', /^application\/json/)
    const { error } = JSON.parse(answer.text)
    assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'], bytes.slice(0, 60))
    assert.equal(error.type, 'invalid_request_error')
    assert.equal(await client.ended, 'fin')
    assert.deepEqual(await client.responses(0), [])
  }
})

test('garbage behind a request whose answer has begun does not get into that answer', async t => {
  const { gateway, backend } = await build(t)
  backend.use(llamaServer({ answer: { tokens: 1000, everyMs: 5 } }))
  const client = await connectRaw(t, gateway.url)
  client.request('POST', '/v1/chat/completions', { headers: authorized, body: { ...hello, stream: true } })
  assert.equal((await client.head()).status, 200)
  client.send('GARBAGE\r\n\r\n')
  await client.ended
  assert.equal(client.received.toString('latin1').match(/HTTP\/1\.1/g)?.length, 1)
  const closing = await backend.nextClose('/v1/chat/completions')
  assert.equal(closing.by, 'client')
})

test('an expectation that nobody knows is ignored, and 100-continue is answered', async t => {
  const { gateway } = await build(t)
  for (const expect of ['100-continue', 'a-miracle']) {
    const client = await connectRaw(t, gateway.url)
    client.request('POST', '/v1/chat/completions', { headers: { ...authorized, Expect: expect }, body: hello })
    assert.equal((await client.response()).status, 200, expect)
  }
})

test('a request without a Host has an id and a line in the log all the same', async t => {
  const { gateway } = await build(t)
  const client = await connectRaw(t, gateway.url)
  client.send('GET / HTTP/1.1\r\n\r\n')
  const answer = await client.response()
  assert.equal(answer.status, 400)
  assert.match(answer.header('x-request-id') ?? '', /^req_[0-9a-f]{32}$/)
})
