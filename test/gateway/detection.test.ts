/** Calls that come before anybody knows what their backend is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hangsUp, loading, neverAnswers } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { ask, question, requestLine } from '../support/inference.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('a call waits for what its backend says of itself no longer than it may', async t => {
  const silent = await startScriptedBackend(t, neverAnswers())
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      backends: { main: { url: silent.url } },
      models: { tinychat: { targets: [{ backend: 'main' }] } },
    }),
  })
  const client = await connectRaw(t, gateway.url)
  const headers = { Authorization: `Bearer ${adminKey}`, 'x-request-timeout-ms': '2000' }
  client.request('POST', '/v1/chat/completions', { headers, body: question })
  const probe = silent.exchanges.at(-1)
  assert.equal(probe?.request.path, '/props')
  const answer = await Promise.race([client.response(), probe.closed.then(() => null)])
  assert.equal(answer?.status, 504, 'before its probe has given up')
  const { backend, attempts } = await requestLine(gateway)
  assert.deepEqual({ backend, attempts }, { backend: 'main', attempts: 1 })
})

test('where a backend does not say what it is, that is a try of its call, at the cost of nobody else', async t => {
  const [unknown, broken, healthy] = [
    await startScriptedBackend(t, loading()),
    await startScriptedBackend(t, llamaServer({ chat: hangsUp('reset') })),
    await startScriptedBackend(t),
  ]
  const named = (url: string) => ({ url, engine: 'llama-server', slots: 4 })
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      routing: { maxAttempts: 3 },
      backends: { unknown: { url: unknown.url }, b0: named(broken.url), b1: named(healthy.url) },
      models: {
        early: { targets: [{ backend: 'unknown' }] },
        tinychat: { targets: [{ backend: 'b0', weight: 1000 }, { backend: 'b1' }] },
      },
    }),
  })
  for (const nth of [1, 2]) {
    const answer = await (await ask(t, gateway, { ...question, model: 'early' })).response()
    assert.equal(answer.status, 503)
    const { tries, attempts } = await requestLine(gateway, nth)
    assert.equal(attempts, 3)
    assert.deepEqual(tries, Array(3).fill({ backend: 'unknown', model: 'early', fault: 'busy' }))
  }
  // With what a start has saved up: three tries.
  for (let times = 0; times < 3; times += 1) {
    assert.equal((await (await ask(t, gateway, question)).response()).status, 200)
  }
  unknown.use(llamaServer({ model: 'early' }))
  await eventually('it loads no more', async () => {
    const answer = await (await ask(t, gateway, { ...question, model: 'early' })).response()
    return answer.status === 200
  })
})
