import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delayed, hangsUp, neverAnswers } from '../../support/behaviours.ts'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import { startFleet } from '../../support/fleet.ts'
import { gatewayBefore, question } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

test('R07 a request has the time that it asks for, and nothing is begun after that', async t => {
  let isWarm = false
  const [healthy, silent] = [llamaServer(), neverAnswers()]
  const slow = llamaServer({ chat: exchange => (isWarm ? silent : healthy)(exchange) })
  const fleet = await startFleet(t, [slow, slow], { slots: 1 })
  const send = async () => {
    const startedMs = performance.now()
    const response = await fleet.gateway.fetch(`${fleet.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${fleet.gateway.openai.apiKey}`,
        'content-type': 'application/json',
        'x-request-timeout-ms': '500',
      },
      body: JSON.stringify(question),
    })
    const { error } = (await response.json()) as { error?: { code: string } }
    return { status: response.status, code: error?.code, tookMs: performance.now() - startedMs }
  }
  // What runs for the first time takes many times as long.
  for (let times = 0; times < 10; times += 1) assert.equal((await send()).status, 200)
  isWarm = true
  const warmMs = performance.now()
  // Two run, and one waits for a place all the time.
  for (const { status, code, tookMs } of await Promise.all([send(), send(), send()])) {
    assert.deepEqual([status, code], [504, 'upstream_timeout'])
    assert.ok(tookMs >= 450 && tookMs <= 550, `${tookMs} ms`)
  }
  const sent = fleet.inferences().filter(({ request }) => request.atMs > warmMs)
  assert.equal(sent.length, 2)
  for (const exchange of sent) {
    assert.equal((await exchange.closed).by, 'client')
    const left = Number(exchange.request.header('x-request-timeout-ms'))
    assert.ok(left > 0 && left <= 500, 'what is left of it is passed on')
  }
})

test('R07 what is sent again on a fresh connection has no more time than was left', async t => {
  const backend = await startScriptedBackend(t, vllmServer())
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  const chats = gateway.openai.chat.completions
  // So that the next one is on a connection that was used before, and may have ended by itself.
  await chats.create(question)
  backend.use(vllmServer({ chat: delayed(400, hangsUp('reset')) }))
  const startedAtMs = performance.now()
  await assert.rejects(async () => chats.create(question, { headers: { 'x-request-timeout-ms': '500' } }), /504/)
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs > 450 && tookMs < 550, `${tookMs} ms`)
  const told = backend.exchangesTo('/v1/chat/completions').map(({ request }) => request.header('x-request-timeout-ms'))
  assert.equal(told.length, 3)
  assert.ok(Number(told[2]) <= 100, String(told))
})
