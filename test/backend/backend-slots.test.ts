import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Backend, type BackendConfig } from '../../src/backend/backend.ts'
import { errorAnswer, loading } from '../support/behaviours.ts'
import { onEnd } from '../support/cleanup.ts'
import { llamaServer, openaiServer, vllmServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const settings: Omit<BackendConfig, 'url'> = {
  engine: 'auto',
  discover: false,
  drain: false,
  timeouts: { connectMs: 2000, firstTokenMs: 2000, idleMs: 2000, totalMs: 2000 },
  breaker: { window: 10, least: 5, failurePercent: 50, pauseMs: 1000, maxPauseMs: 1000 },
}
const events = {
  onGate: () => undefined,
  onLetsIn: () => undefined,
  onKnown: () => undefined,
  onTurnsAway: () => undefined,
}

function make(t: TestContext, config: BackendConfig, former?: Backend): Backend {
  const backend = new Backend('main', config, events, former)
  onEnd(t, () => backend.close())
  return backend
}

async function serve(t: TestContext, behaviour: Behaviour, more: Partial<BackendConfig> = {}) {
  const server = await startScriptedBackend(t, behaviour)
  return { server, backend: make(t, { ...settings, url: server.url, ...more }) }
}

test('slots that were learned stay when /props is refused, and a refusal is an answer', async t => {
  const { server, backend } = await serve(t, llamaServer({ slots: 3 }), { engine: 'llama-server' })
  await backend.look()
  assert.equal(backend.slots, 3)
  for (const refusal of [errorAnswer(401, {}), errorAnswer(404, {})]) {
    server.use(refusal)
    await backend.look()
    assert.equal(backend.slots, 3)
  }
  const silent = make(t, { ...settings, url: server.url, engine: 'llama-server' })
  await silent.look()
  assert.equal(silent.slots, null, 'a llama-server that does not say has no bound')
})

test('one request at a time as long as nobody knows whether it is a llama-server, or how many slots that has', async t => {
  const { server, backend } = await serve(t, loading())
  await assert.rejects(backend.look())
  assert.deepEqual([backend.slots, backend.knownSlots], [1, null])
  server.use(llamaServer({ slots: 6 }))
  await backend.getEngine()
  assert.equal(backend.slots, 6, 'what it is and what it takes are known at once')
  for (const behaviour of [vllmServer(), openaiServer()]) {
    const other = (await serve(t, behaviour)).backend
    assert.equal(other.slots, 1)
    await other.getEngine()
    assert.equal(other.slots, null)
  }
  assert.equal((await serve(t, loading(), { engine: 'vllm' })).backend.slots, null)
  assert.equal((await serve(t, loading(), { slots: 9 })).backend.slots, 9)
})

test('what was learned goes on to the next configuration of the same server, and to no other', async t => {
  const { server, backend } = await serve(t, llamaServer({ slots: 2 }))
  const next = make(t, { ...settings, url: server.url, breaker: { ...settings.breaker, least: 1 } }, backend)
  await backend.look()
  assert.equal(next.engine?.name, 'llama-server')
  assert.equal(next.slots, 2)
  assert.equal(make(t, { ...settings, url: server.url, slots: 7 }, next).slots, 7)
  assert.equal(make(t, { ...settings, url: 'http://127.0.0.1:9' }, next).engine, null)
  const named = make(t, { ...settings, url: server.url, engine: 'llama-server' }, next)
  assert.equal(named.slots, 1, 'it was set otherwise, so that what was found out may have been wrong')
})
