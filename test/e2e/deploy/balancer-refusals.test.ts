import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { onEnd } from '../../support/cleanup.ts'
import { findFreePort } from '../../support/daemon.ts'
import { llamaServer } from '../../support/engines.ts'
import { buildGateway } from '../../support/gateway.ts'
import { happens } from '../../support/inbox.ts'
import { oneBackendYaml, question, sendQuestion } from '../../support/inference.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

import { build, errorOf, kinds, startBalancer } from './balanced.ts'

/** A replica that takes a request and ends the connection without a word; the requests it has had. */
async function startBroken(t: TestContext) {
  const heard: string[] = []
  const server = createServer((socket: Socket) => {
    socket.once('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      if (text.startsWith('GET /health/ready')) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        return
      }
      heard.push(text)
      socket.destroy()
    })
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await happens(server, 'listening')
  onEnd(t, () => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { port: address.port, heard }
}

for (const kind of kinds) {
  describe(`${kind} as it is shipped, where something fails`, () => {
    test('what it refuses itself is refused in the shape of OpenAI', async t => {
      const { balancer } = await build(t, kind)
      // HAProxy's parser has a page of its own, which no setting replaces.
      const ofParser = kind === 'nginx' ? 'json' : 'html'
      const cases: readonly (readonly [string, number, 'json' | 'html'])[] = [
        ['GARBAGE\r\n\r\n', 400, ofParser],
        ['GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n', 400, ofParser],
        [`GET / HTTP/1.1\r\nHost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, kind === 'nginx' ? 431 : 400, ofParser],
        ['GET / HTTP/1.1\r\n\r\n', 400, 'json'],
        ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'json'],
        ['POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n', 413, 'json'],
        ['GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'json'],
        ['GET /status HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'json'],
        ['GET /live HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'json'],
      ]
      for (const [bytes, status, shape] of cases) {
        const client = await connectRaw(t, balancer.url)
        client.send(bytes)
        const answer = await client.response()
        assert.equal(answer.status, status, bytes.slice(0, 80))
        if (shape === 'json') assert.equal(errorOf(answer)['type'], 'invalid_request_error')
        else assert.match(answer.header('content-type') ?? '', /^text\/html/)
      }
    })

    test('where no replica takes a connection the caller is told to try again', async t => {
      const balancer = await startBalancer(t, kind, [await findFreePort(), await findFreePort()])
      const client = await connectRaw(t, balancer.url)
      sendQuestion(client)
      const answer = await client.response()
      assert.equal(answer.header('retry-after'), '1')
      const { type, code } = errorOf(answer)
      const expected = {
        nginx: [502, 'server_error', 'upstream_error'],
        haproxy: [503, 'service_unavailable_error', 'server_is_overloaded'],
      }
      assert.deepEqual([answer.status, type, code], expected[kind])
    })

    test('asks the other replica where one takes no connection, and nobody else where one has had the request', async t => {
      const broken = await startBroken(t)
      const backend = await startScriptedBackend(t, llamaServer())
      const gateway = await buildGateway(t, { yaml: oneBackendYaml(backend.url) })
      const dead = await startBalancer(t, kind, [await findFreePort(), gateway.port])
      const client = await connectRaw(t, dead.url)
      for (let n = 0; n < 6; n += 1) {
        sendQuestion(client, question)
        assert.equal((await client.response()).status, 200)
      }
      const dying = await startBalancer(t, kind, [broken.port, gateway.port])
      const before = backend.exchangesTo('/v1/chat/completions').length
      const statuses: number[] = []
      for (let n = 0; n < 4; n += 1) {
        const fresh = await connectRaw(t, dying.url)
        sendQuestion(fresh, question)
        const answer = await fresh.response()
        statuses.push(answer.status)
        if (answer.status !== 200) errorOf(answer)
      }
      const answered = statuses.filter(status => status === 200).length
      assert.ok(broken.heard.length > 0, 'the broken one was asked')
      assert.equal(broken.heard.length + answered, 4, 'each was sent to one of them, once')
      assert.equal(backend.exchangesTo('/v1/chat/completions').length - before, answered)
    })
  })
}
