import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { ask, gatewayBefore, gather, question, sendQuestion } from '../support/inference.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('a live stream ends in peace while the gateway closes, and the internal listener answers to the end', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: chat({ tokens: 10, everyMs: 50 }) }))
  const { app, url, internalUrl } = await buildGateway(t, {
    env: { WEIR_BACKEND_URL: backend.url, INTERNAL_PORT: '0' },
  })
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tinychat', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
  })
  const closed = app.close()
  const live = await fetch(`${internalUrl}/health/live`)
  assert.equal(live.status, 200)
  await assert.rejects(fetch(`${url}/`, { headers: { connection: 'close' } }), 'no new connection is taken')
  assert.ok((await reply.text()).endsWith('data: [DONE]\n\n'))
  // The caller's connection is idle now and kept alive: it must not hold the close up.
  const since = performance.now()
  await closed
  assert.ok(performance.now() - since < 2000)
  await assert.rejects(fetch(`${internalUrl}/health/live`))
})

test('a connection is ended only with an answer that says so, or once nothing is served any more', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: chat({ tokens: 3, everyMs: 50 }) }))
  const gateway = await gatewayBefore(t, backend)
  const client = await ask(t, gateway)
  assert.equal((await client.head()).header('connection'), 'keep-alive')
  gateway.app.drain.begin()
  assert.equal(gather(await Array.fromAsync(client.events())).isDone, true)
  // A balancer may have sent its next request on it before it hears of an end: a POST would be lost.
  sendQuestion(client)
  const head = await client.head()
  assert.deepEqual([head.status, head.header('connection')], [200, 'close'])
  assert.equal(gather(await Array.fromAsync(client.events())).isDone, true)
  assert.equal(await client.ended, 'fin')
})

test('once it takes no new connections it still serves on those that there are, used or not', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const gateway = await gatewayBefore(t, backend)
  const [used, unused] = [await ask(t, gateway, question), await connectRaw(t, gateway.url)]
  assert.equal((await used.response()).status, 200)
  gateway.app.drain.begin()
  await gateway.app.drain.stopListening()
  await assert.rejects(connectRaw(t, gateway.url), { code: 'ECONNREFUSED' })
  for (const client of [used, unused]) {
    sendQuestion(client, question)
    const answer = await client.response()
    assert.deepEqual([answer.status, answer.header('connection')], [200, 'close'])
    assert.equal(await client.ended, 'fin')
  }
})
