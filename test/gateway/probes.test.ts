import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loading } from '../support/behaviours.ts'
import { llamaServer, ollamaServer, openaiServer, vllmServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const engines = {
  'llama-server': { healthy: llamaServer(), path: '/health' },
  vllm: { healthy: vllmServer(), path: '/health' },
  ollama: { healthy: ollamaServer(), path: '/api/version' },
  openai: { healthy: openaiServer(), path: '/v1/models' },
}

test('each engine is asked for its health, though all else is configured and nobody calls it', async t => {
  const servers = await Promise.all(
    Object.entries(engines).map(async ([engine, { healthy, path }]) => {
      const server = await startScriptedBackend(t)
      await server.stop()
      return { engine, healthy, path, server }
    }),
  )
  const backends = Object.fromEntries(
    servers.map(({ engine, server }) => [engine, { url: server.url, engine, slots: 2 }]),
  )
  const gateway = await buildGateway(t, { yaml: JSON.stringify({ backends }) })
  const areAll = (kind: string) =>
    eventually(`all are ${kind}`, () => {
      const states = Object.values(gateway.app.backends.states())
      return states.length === servers.length && states.every(state => state.kind === kind)
    })
  await areAll('down')
  for (const { server } of servers) server.use(loading())
  await Promise.all(servers.map(({ server }) => server.start()))
  await areAll('loading')
  for (const { server, healthy } of servers) server.use(healthy)
  await areAll('up')
  for (const { server, path, engine } of servers)
    assert.deepEqual(new Set(server.exchanges.map(({ request }) => request.path)), new Set([path]), engine)
})
