import assert from 'node:assert/strict'
import { test } from 'node:test'
import { llamaServer } from '../support/engines.ts'
import { buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('models without a price are one warning at the start, and one more as each appears', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const target = { targets: [{ backend: 'main' }] }
  const prices = (from: string) => ({ prices: [{ from, input: '0', output: '0' }] })
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      server: { watchConfig: false },
      backends: { main: { url: backend.url, engine: 'llama-server', discover: true } },
      models: {
        free: { ...target, ...prices('2026-01-01') },
        later: { ...target, ...prices('2999-01-01') },
        one: target,
      },
    }),
  })
  const told = () => gateway.logLines.flatMap(({ msg, models }) => (/without a price/.test(String(msg)) ? models : []))
  // The last of them the backend has listed by itself.
  assert.deepEqual(told(), ['later, one, tinychat'])
  const discover = (...ids: readonly string[]) =>
    gateway.app.catalog.setDiscovered({ backend: 'main', models: ids.map(id => ({ id, contextLength: null })) })
  discover('tinychat', 'found')
  assert.deepEqual(told(), ['later, one, tinychat', 'found'])
  discover()
  discover('found', 'tinychat', 'free')
  assert.deepEqual(told(), ['later, one, tinychat', 'found'])
})
