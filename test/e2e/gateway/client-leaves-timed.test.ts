import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import {
  ask,
  gatewayBefore,
  hello,
  percentile,
  question,
  requestLine,
  sendQuestion,
  streamQuestion,
} from '../../support/inference.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'

const maxCloseMs = 50

test('S01 a caller who leaves in mid-stream takes the connection to the backend along', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ answer: { tokens: 2000, everyMs: 5 } }))
  const gateway = await gatewayBefore(t, backend)
  const lags: number[] = []
  for (let round = 0; round < 50; round += 1) {
    const leaving = Array.from({ length: 10 }, async (_, n) => {
      const tag = `caller ${round}-${n}`
      const client = await ask(t, gateway, { ...streamQuestion, messages: [{ role: 'user', content: tag }] })
      await client.head()
      for await (const event of client.events()) if (event.data?.includes('word2')) break
      const exchange = backend.exchanges.find(({ request }) => request.text.includes(`"${tag}"`))
      assert.ok(exchange)
      const leftAtMs = performance.now()
      client.destroy()
      const closing = await exchange.closed
      assert.equal(closing.by, 'client')
      lags.push(closing.atMs - leftAtMs)
    })
    await Promise.all(leaving)
  }
  await eventually('no connection to the backend is left', () => backend.sockets.open === 0, { withinMs: 1000 })
  const p99 = percentile(lags, 0.99)
  t.diagnostic(`upstream closed after p50 ${percentile(lags, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
  assert.equal(lags.length, 500)
  assert.ok(p99 <= maxCloseMs, `p99 ${p99} ms`)
  const line = await requestLine(gateway, 500)
  assert.equal(line['outcome'], 'client-gone')
  assert.equal(line['status'], 200)
  assert.equal(typeof line['firstTokenMs'], 'number')
})

const phases = {
  '(b) before the headers': { headersAfterMs: 5000 },
  '(c) after the headers, before a token': { firstTokenAfterMs: 5000 },
}
const callers = {
  'of a stream': { body: streamQuestion, engine: 'llama-server' as const },
  'of one piece, assembled here': { body: question, engine: 'llama-server' as const },
  'of one piece, asked for as such': { body: question, engine: 'vllm' as const },
}

for (const [phase, answer] of Object.entries(phases)) {
  for (const [kind, { body, engine }] of Object.entries(callers)) {
    test(`S04 ${phase} a caller ${kind} leaves`, async t => {
      const server = engine === 'vllm' ? vllmServer({ answer }) : llamaServer({ answer })
      const backend = await startScriptedBackend(t, server)
      const gateway = await gatewayBefore(t, backend, { engine })
      const hasHeaders = 'firstTokenAfterMs' in answer && engine === 'llama-server'
      const lags: number[] = []
      for (let n = 0; n < 10; n += 1) lags.push(await leaveEarly(t, { gateway, backend, body, hasHeaders }))
      const slowest = Math.max(...lags)
      t.diagnostic(`upstream closed after p50 ${percentile(lags, 0.5).toFixed(1)} ms, at most ${slowest.toFixed(1)} ms`)
      assert.ok(slowest <= maxCloseMs, `${slowest} ms`)
      await eventually('no connection to the backend is left', () => backend.sockets.open === 0, { withinMs: 1000 })
      const line = await requestLine(gateway, 10)
      assert.equal(line['status'], 499)
      assert.equal(line['outcome'], 'client-gone')
      assert.equal(line['firstTokenMs'], undefined)
    })
  }
}

interface Scene {
  gateway: { url: string }
  backend: ScriptedBackend
  body: object
  hasHeaders: boolean
}

/** How long it took until the backend knew. */
async function leaveEarly(t: TestContext, { gateway, backend, body, hasHeaders }: Scene): Promise<number> {
  const client = await ask(t, gateway, body)
  const exchange = await backend.nextRequest('/v1/chat/completions')
  if (hasHeaders) await eventually('the headers are out', () => exchange.bytesSent > 0, { everyMs: 1 })
  const leftAtMs = performance.now()
  client.destroy()
  const closing = await exchange.closed
  assert.equal(closing.by, 'client')
  return closing.atMs - leftAtMs
}

for (const body of [streamQuestion, question]) {
  test(`S04 a caller (${'stream' in body ? 'stream' : 'one piece'}) who leaves while the backend is still being asked what it is never reaches it`, async t => {
    const known = Promise.withResolvers<void>()
    const healthy = llamaServer()
    const backend = await startScriptedBackend(t, async exchange => {
      await known.promise
      await healthy(exchange)
    })
    const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
    const hasArrived = once(gateway.app.server, 'request')
    const client = await ask(t, gateway, body)
    await hasArrived
    await eventually('it has its place', () => gateway.app.backends.views()[0]?.in_flight === 1)
    client.destroy()
    const line = await requestLine(gateway)
    known.resolve()
    await eventually('the backend is known', () => gateway.app.backends.states()['main']?.kind === 'up')
    assert.equal(line['status'], 499)
    assert.equal(line['outcome'], 'client-gone')
    const second = await ask(t, gateway, body)
    assert.equal((await second.head()).status, 200)
    assert.equal(backend.exchangesTo('/v1/chat/completions').length, 1, 'only the caller who stayed')
  })
}

test('S01 half a goodbye (FIN) of the caller counts as leaving', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ answer: { tokens: 2000, everyMs: 20 } }))
  const gateway = await gatewayBefore(t, backend)
  const client = await ask(t, gateway)
  await client.head()
  const exchange = await backend.nextRequest('/v1/chat/completions')
  client.end()
  const closing = await exchange.closed
  assert.equal(closing.by, 'client')
  assert.equal((await requestLine(gateway))['outcome'], 'client-gone')
})

test('S04 a caller who leaves takes along also what it had sent ahead on the same connection', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ answer: { tokens: 2000, everyMs: 20 } }))
  const gateway = await gatewayBefore(t, backend)
  const client = await connectRaw(t, gateway.url)
  sendQuestion(client)
  sendQuestion(client, { ...question, messages: [...hello, ...hello] })
  const exchanges = [
    await backend.nextRequest('/v1/chat/completions'),
    await backend.nextRequest('/v1/chat/completions'),
  ]
  client.destroy()
  for (const { closed } of exchanges) assert.equal((await closed).by, 'client')
  await eventually('no connection to the backend is left', () => backend.sockets.open === 0, { withinMs: 1000 })
})
