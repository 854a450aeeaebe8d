import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Agent, request } from 'undici'
import { neverAnswers, pausesAfter } from '../../support/behaviours.ts'
import { onEnd } from '../../support/cleanup.ts'
import { findFreePort } from '../../support/daemon.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { buildGateway } from '../../support/gateway.ts'
import { within } from '../../support/inbox.ts'
import { gather, oneBackendYaml, question, sendQuestion, streamQuestion } from '../../support/inference.ts'
import { connectRaw, type RawEvent } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

import { build, kinds, right, startBalancer } from './balanced.ts'

for (const kind of kinds) {
  describe(`${kind} as it is shipped`, () => {
    test('hands on each piece of a stream while the backend still makes the next, and all of it in the end', async t => {
      const { backend, balancer } = await build(t, kind)
      const more = Promise.withResolvers<void>()
      backend.use(llamaServer({ chat: pausesAfter(2, more.promise, { tokens: 5 }) }))
      const client = await connectRaw(t, balancer.url)
      sendQuestion(client, streamQuestion)
      const head = await client.head()
      assert.deepEqual([head.status, head.header('x-accel-buffering')], [200, 'no'])
      const read: RawEvent[] = []
      for await (const event of client.events()) {
        read.push(event)
        if (event.data?.includes('word0') === true) more.resolve()
      }
      const { isDone, text, error } = gather(read)
      assert.deepEqual([isDone, error], [true, undefined])
      assert.equal(text, ' word0 word1 word2 word3 word4')
    })

    test('a reload takes new requests at once, and lets a stream that runs end', async t => {
      const { backend, balancer } = await build(t, kind)
      const more = Promise.withResolvers<void>()
      backend.use(llamaServer({ chat: pausesAfter(2, more.promise, { tokens: 5 }) }))
      const client = await connectRaw(t, balancer.url)
      sendQuestion(client, streamQuestion)
      await client.head()
      const said = { nginx: 'gracefully shutting down', haproxy: 'Loading success' }[kind]
      const times = () => balancer.complaints().split(said).length
      const before = times()
      process.kill(balancer.daemon.pid, kind === 'nginx' ? 'SIGHUP' : 'SIGUSR2')
      await eventually('it has reloaded', () => times() > before)
      const fresh = await connectRaw(t, balancer.url)
      fresh.request('GET', '/v1/models', { headers: right })
      assert.equal((await fresh.response()).status, 200)
      more.resolve()
      assert.equal(gather(await Array.fromAsync(client.events())).isDone, true)
    })

    test('a caller that leaves is gone for the backend as well', async t => {
      const { backend, balancer } = await build(t, kind)
      backend.use(llamaServer({ chat: neverAnswers() }))
      for (const body of [question, streamQuestion]) {
        const client = await connectRaw(t, balancer.url)
        sendQuestion(client, body)
        const exchange = await backend.nextRequest('/v1/chat/completions')
        client.destroy()
        const { by } = await within(exchange.closed, 3000, () => 'the backend still has it')
        assert.equal(by, 'client')
      }
    })

    test('L13 H05 what a caller says of its own address has no effect, and its real one counts', async t => {
      const { balancer } = await build(t, kind, { FLOOD_GUARD_REQUESTS: '3' })
      const from = new Map<string, Agent>()
      const ask = async (localAddress: string, headers: Record<string, string> = {}) => {
        const dispatcher = from.get(localAddress) ?? new Agent({ localAddress })
        from.set(localAddress, dispatcher)
        const answer = await request(`${balancer.url}/v1/models`, { dispatcher, headers: { ...right, ...headers } })
        await answer.body.dump()
        return answer.statusCode
      }
      onEnd(t, () => Promise.all([...from.values()].map(agent => agent.destroy())))
      const spoofs = [
        { 'x-forwarded-for': '9.9.9.1' },
        { 'x-forwarded-for': '9.9.9.2, 127.0.0.1', forwarded: 'for=9.9.9.2' },
        { 'X-Forwarded-For': '2001:db8::1', 'x-real-ip': '9.9.9.3', 'true-client-ip': '9.9.9.3' },
        { x_forwarded_for: '9.9.9.4' },
        { 'x-forwarded-for': 'unknown' },
      ]
      const statuses: number[] = []
      for (const spoof of spoofs) statuses.push(await ask('127.0.0.2', spoof))
      assert.deepEqual(statuses, [200, 200, 200, 429, 429], 'all came from 127.0.0.2')
      assert.equal(await ask('127.0.0.3', { 'x-forwarded-for': '127.0.0.2' }), 200, 'another address is another caller')
    })

    test("keeps Weir's request id and the caller's own, and logs both", async t => {
      const { gateway, balancer } = await build(t, kind)
      const client = await connectRaw(t, balancer.url)
      client.request('GET', '/v1/models?key=secret', { headers: { ...right, 'X-Request-Id': 'mine-1' } })
      const answer = await client.response()
      const reqId = answer.header('x-request-id') ?? ''
      assert.match(reqId, /^req_[0-9a-f]{32}$/)
      const line = gateway.logLines.find(entry => entry['msg'] === 'request')
      assert.deepEqual([line?.['reqId'], line?.['clientRequestId']], [reqId, 'mine-1'])
      const [logged] =
        (await eventually('the line of the request', () => {
          const lines = balancer.accessLog()
          return lines.length > 0 ? lines : undefined
        })) ?? []
      assert.deepEqual(
        [logged?.['reqId'], logged?.['clientRequestId'], logged?.['status'], logged?.['address'], logged?.['path']],
        [reqId, 'mine-1', 200, '127.0.0.1', '/v1/models'],
      )
      assert.ok(!JSON.stringify(logged).includes('secret'))
    })

    test('keeps its connections to the replicas', async t => {
      const { gateway, balancer } = await build(t, kind)
      let opened = 0
      gateway.app.server.on('connection', () => {
        opened += 1
      })
      const client = await connectRaw(t, balancer.url)
      for (let n = 0; n < 20; n += 1) {
        client.request('GET', '/v1/models', { headers: right })
        assert.equal((await client.response()).status, 200)
      }
      // HAProxy asks for the health besides, each time on a connection of its own.
      assert.ok(opened <= (kind === 'nginx' ? 2 : 6), `${opened} connections for 20 requests`)
    })

    test('tells how it is on an address of its own', async t => {
      const { balancer } = await build(t, kind)
      const { statusCode, body } = await request(balancer.statusUrl)
      assert.equal(statusCode, 200)
      assert.match(await body.text(), kind === 'nginx' ? /^Active connections: \d/ : /^haproxy_process_/m)
    })

    test('serves TLS once it has a certificate', async t => {
      const folder = mkdtempSync(join(tmpdir(), 'weir-test-tls-'))
      onEnd(t, () => rmSync(folder, { recursive: true, force: true }))
      const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
      const wanted = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ]
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
      execFileSync('openssl', [...wanted, ...subject, '-keyout', key, '-out', certificate], { stdio: 'pipe' })
      const backend = await startScriptedBackend(t)
      const gateway = await buildGateway(t, { yaml: oneBackendYaml(backend.url) })
      const port = await findFreePort()
      await startBalancer(t, kind, [gateway.port, gateway.port], { tls: { port, certificate, key } })
      const dispatcher = new Agent({ connect: { ca: readFileSync(certificate) } })
      onEnd(t, () => dispatcher.destroy())
      const answer = await request(`https://127.0.0.1:${port}/v1/models`, { dispatcher, headers: right })
      assert.equal(answer.statusCode, 200)
      await answer.body.dump()
      assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000')
    })
  })
}
