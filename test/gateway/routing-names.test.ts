import assert from 'node:assert/strict'
import { test } from 'node:test'
import { llamaServer } from '../support/engines.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('a name with letters that headers have not is told in percent, and costs nobody an answer', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const yaml = JSON.stringify({
    routing: { maxAttempts: 1 },
    backends: {
      main: { url: backend.url, engine: 'llama-server' },
      away: { url: 'http://127.0.0.1:9', engine: 'vllm' },
    },
    models: {
      asked: { targets: [{ backend: 'away' }], fallback: '备用' },
      备用: { targets: [{ backend: 'main', model: '模型' }] },
    },
  })
  const gateway = await buildGateway(t, { yaml })
  const answer = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'asked', messages: [{ role: 'user', content: 'hi' }] }),
  })
  await answer.text()
  assert.equal(answer.status, 200)
  const told = ['x-weir-fallback', 'x-weir-model'].map(name => decodeURIComponent(answer.headers.get(name) ?? ''))
  assert.deepEqual(told, ['备用', '模型'])
})
