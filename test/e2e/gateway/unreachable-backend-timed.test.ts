import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import type { BackendView } from '../../../src/schemas/admin/backends.ts'
import { adminOf } from '../../support/admin.ts'
import { onEnd } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import { ask, errorOf, gatewayBefore, question, requestLine, streamQuestion } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

test('a backend that refuses connections is a 502 at once, and serves again when it is back', async t => {
  const backend = await startScriptedBackend(t)
  const proxy = await startFaultProxy(t, backend)
  const gateway = await gatewayBefore(t, proxy)
  await proxy.down()
  for (const [n, body] of [streamQuestion, question].entries()) {
    const answer = await (await ask(t, gateway, body)).response()
    assert.equal(answer.status, 502)
    assert.equal(errorOf(answer)['code'], 'upstream_error')
    assert.equal((await requestLine(gateway, n + 1))['outcome'], 'connect')
  }
  await proxy.up()
  assert.equal((await (await ask(t, gateway, question)).response()).status, 200)
})

/** A port whose queue is full and whose process has stopped: what asks it for a connection hears nothing. */
async function deafPort(t: TestContext): Promise<number> {
  const script = `
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      console.log(server.address().port)
      process.kill(process.pid, 'SIGSTOP')
    })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onEnd(t, () => child.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const port = Number(line)
  const sockets: Socket[] = []
  onEnd(t, () => {
    for (const socket of sockets) socket.destroy()
  })
  await eventually('the queue is full', async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    const connected = once(socket, 'connect').then(() => true)
    return !(await Promise.race([connected, new Promise(resolve => setTimeout(resolve, 200))]))
  })
  return port
}

test('a backend that does not take the connection is a 504 at the connect timeout', async t => {
  const port = await deafPort(t)
  const gateway = await gatewayBefore(t, { url: `http://127.0.0.1:${port}` }, { timeouts: { connect: '500ms' } })
  for (const [n, body] of [streamQuestion, question].entries()) {
    const startedAtMs = performance.now()
    const answer = await (await ask(t, gateway, body)).response()
    const tookMs = performance.now() - startedAtMs
    t.diagnostic(`504 after ${tookMs.toFixed(0)} ms`)
    assert.equal(answer.status, 504)
    assert.equal(errorOf(answer)['code'], 'upstream_timeout')
    assert.ok(tookMs >= 450 && tookMs < 2000, `${tookMs} ms`)
    const line = await requestLine(gateway, n + 1)
    assert.deepEqual([line['outcome'], line['reason']], ['timeout', 'connect timeout'])
  }
})

test('a caller who leaves while the connection is being opened is let go at once', async t => {
  const port = await deafPort(t)
  const gateway = await gatewayBefore(t, { url: `http://127.0.0.1:${port}` }, { timeouts: { connect: '20s' } })
  const admin = adminOf(gateway)
  const client = await ask(t, gateway)
  await eventually('the call has its backend', async () => {
    const { in_flight } = await admin.get<BackendView>('GET', '/backends/main')
    return in_flight === 1
  })
  client.destroy()
  const line = await requestLine(gateway)
  assert.deepEqual([line['outcome'], line['status']], ['client-gone', 499])
})
