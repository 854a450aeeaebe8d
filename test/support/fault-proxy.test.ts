import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Behaviour, Exchange } from './exchange.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { connectRaw, type RawClient } from './raw-client.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'

const sendBody = (bytes: number): Behaviour => {
  const body = 'x'.repeat(bytes)
  return (exchange: Exchange) => exchange.answer(200, [], body)
}

interface Scene {
  backend: ScriptedBackend
  proxy: FaultProxy
  client: RawClient
}

async function build(t: TestContext, behaviour: Behaviour = sendBody(1_000)): Promise<Scene> {
  const backend = await startScriptedBackend(t, behaviour)
  const proxy = await startFaultProxy(t, backend)
  return { backend, proxy, client: await connectRaw(t, proxy.url) }
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

async function get(client: RawClient): Promise<number> {
  client.request('GET', '/')
  return (await client.response()).body.length
}

test('without a fault bytes pass unchanged, and the end of a side reaches the other', async t => {
  const { backend, proxy, client } = await build(t, sendBody(3_000_000))
  assert.equal(await get(client), 3_000_000)
  client.end()
  assert.equal((await backend.nextClose()).by, 'client')
  assert.equal(await client.ended, 'fin')
  assert.equal(proxy.connections.opened, 1)
})

test('latency delays each answer, until clear', async t => {
  const { proxy, client } = await build(t)
  proxy.latency(150)
  assert.ok((await time(() => get(client))) >= 149)
  proxy.clear()
  assert.ok((await time(() => get(client))) < 149)
})

test('bandwidth stretches an answer', async t => {
  const { proxy, client } = await build(t, sendBody(20_000))
  proxy.bandwidth(100_000)
  const tookMs = await time(() => get(client))
  assert.ok(tookMs > 150, `${tookMs}`)
})

test('a slicer cuts the answer into pieces', async t => {
  const { proxy, client } = await build(t, sendBody(50))
  proxy.slicer(10, 5)
  const tookMs = await time(() => get(client))
  assert.ok(tookMs > 25, `${tookMs}`)
})

test('limitData ends the answer after so many bytes', async t => {
  const { proxy, client } = await build(t)
  proxy.limitData(120)
  client.request('GET', '/')
  assert.equal(await client.ended, 'fin')
  assert.equal(client.received.length, 120)
})

test('a blackhole swallows the answer and hides that the client has left', async t => {
  const { backend, proxy, client } = await build(t)
  proxy.blackhole()
  client.request('GET', '/')
  await assert.rejects(backend.nextRequest('/', 100), /no request within 100 ms/)
  client.destroy()
  await assert.rejects(backend.nextClose('/', 100), /no closing/)
  assert.equal(backend.sockets.open, 1)
})

test('a blackhole towards an answer under way ends when it was told to', async t => {
  const { backend, proxy, client } = await build(t, exchange => exchange.stall())
  client.request('GET', '/')
  await backend.nextRequest()
  proxy.blackhole(50)
  assert.equal(await client.ended, 'reset')
  assert.equal((await backend.nextClose()).how, 'reset')
})

test('resetPeer resets both sides, open and new', async t => {
  const { backend, proxy, client } = await build(t, exchange => exchange.stall())
  client.request('GET', '/')
  await backend.nextRequest()
  proxy.resetPeer()
  assert.equal(await client.ended, 'reset')
  assert.equal((await backend.nextClose()).how, 'reset')
  // The reset may come before the client knows that it is connected.
  const later = await connectRaw(t, proxy.url).then(
    it => it.ended,
    (error: NodeJS.ErrnoException) => error.code,
  )
  assert.match(String(later), /^(reset|ECONNRESET)$/)
})

test('slowClose holds back the FIN', async t => {
  const { proxy, client } = await build(t, exchange => exchange.hangUp())
  proxy.slowClose(80)
  client.request('GET', '/')
  assert.ok((await time(() => client.ended)) >= 75)
})

test('down refuses and resets, up serves again on the same port', async t => {
  const { proxy, client } = await build(t)
  assert.equal(await get(client), 1_000)
  await proxy.down()
  assert.equal(await client.ended, 'reset')
  await assert.rejects(connectRaw(t, proxy.url), { code: 'ECONNREFUSED' })
  await proxy.up()
  assert.equal(await get(await connectRaw(t, proxy.url)), 1_000)
})
