import assert from 'node:assert/strict'
import { test } from 'node:test'
import { neverAnswers } from '../../support/behaviours.ts'
import { llamaServer, openaiServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { buildGateway } from '../../support/gateway.ts'
import { ask } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

test('what dies is down soon, though nobody calls it; what is busy and answers no probe is not', async t => {
  const [idle, dead, hung, busy] = [
    await startScriptedBackend(t, openaiServer()),
    await startScriptedBackend(t, openaiServer()),
    await startScriptedBackend(t),
    await startScriptedBackend(t, llamaServer({ chat: neverAnswers() })),
  ]
  const named = (url: string, engine = 'llama-server') => ({ url, engine, slots: 1 })
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      backends: {
        idle: named(idle.url, 'openai'),
        dead: named(dead.url, 'openai'),
        hung: named(hung.url),
        busy: named(busy.url),
      },
      models: { tinychat: { targets: [{ backend: 'busy' }] } },
    }),
  })
  const kinds = () =>
    Object.fromEntries(Object.entries(gateway.app.backends.states()).map(([name, { kind }]) => [name, kind]))
  await eventually('all are up', () => Object.values(kinds()).every(kind => kind === 'up'))
  const client = await ask(t, gateway)
  await busy.nextRequest('/v1/chat/completions')
  for (const server of [hung, busy]) server.use(neverAnswers())
  await dead.stop()
  const asked = busy.exchanges.length
  await eventually('it is seen', () => kinds()['dead'] === 'down' && kinds()['hung'] === 'down', { withinMs: 20_000 })
  // The second time it is asked the first probe has timed out.
  await eventually('it was asked twice', () => busy.exchanges.length >= asked + 2, { withinMs: 30_000 })
  assert.deepEqual(kinds(), { idle: 'up', dead: 'down', hung: 'down', busy: 'up' })
  client.destroy()
})
