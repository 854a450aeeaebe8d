import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BackendView } from '../../src/schemas/admin/backends.ts'
import { adminOf } from '../support/admin.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { ask, question } from '../support/inference.ts'
import { yamlOf } from '../support/reloading.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('a llama-server never runs more than its slots: not before it has said them, nor after a reload', async t => {
  let props = Promise.withResolvers<void>()
  const answers = Promise.withResolvers<void>()
  const healthy = llamaServer({
    slots: 2,
    chat: async exchange => {
      await Promise.race([answers.promise, exchange.closed])
      await chat()(exchange)
    },
  })
  const backend = await startScriptedBackend(t, async exchange => {
    if (exchange.request.path === '/props') await Promise.race([props.promise, exchange.closed])
    await healthy(exchange)
  })
  const settings = (idle: string) => ({
    backends: { main: { url: backend.url, timeouts: { idle } } },
    models: { tinychat: { targets: [{ backend: 'main' }] } },
  })
  const gateway = await buildGateway(t, { yaml: yamlOf(settings('60s')) })
  const admin = adminOf(gateway)
  const counts = async () => {
    const { in_flight, waiting, slots } = await admin.get<BackendView>('GET', '/backends/main')
    return `${in_flight} of ${slots}, ${waiting} wait`
  }
  const isAt = (expected: string) => eventually(expected, async () => (await counts()) === expected)
  const running = () => backend.exchangesTo('/v1/chat/completions').length
  const replies = await Promise.all(Array.from({ length: 6 }, () => ask(t, gateway, question)))
  await isAt('1 of null, 5 wait')
  props.resolve()
  await isAt('2 of 2, 4 wait')
  props = Promise.withResolvers()
  gateway.writeYaml(yamlOf(settings('59s')))
  assert.equal((await admin.ask('POST', '/config/reload')).status, 200)
  replies.push(await ask(t, gateway, question))
  await isAt('2 of 2, 5 wait')
  await eventually('both run', () => running() === 2)
  answers.resolve()
  for (const reply of replies) assert.equal((await reply.response()).status, 200)
})
