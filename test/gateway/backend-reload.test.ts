import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { BackendView } from '../../src/schemas/admin/backends.ts'
import { adminOf } from '../support/admin.ts'
import { hangsUp } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { ask, question } from '../support/inference.ts'
import { yamlOf } from '../support/reloading.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const targets = [{ backend: 'main' }]

async function start(t: TestContext) {
  const answers = Promise.withResolvers<void>()
  const slow = llamaServer({
    chat: async exchange => {
      await Promise.race([answers.promise, exchange.closed])
      await chat()(exchange)
    },
  })
  const server = await startScriptedBackend(t)
  const yaml = (more: object) =>
    yamlOf({
      backends: { main: { url: server.url, engine: 'llama-server', slots: 1, ...more } },
      models: { tinychat: { targets } },
    })
  const gateway = await buildGateway(t, { yaml: yaml({}) })
  const admin = adminOf(gateway)
  return {
    server,
    slow,
    answers,
    admin,
    call: () => ask(t, gateway, question),
    status: async () => (await (await ask(t, gateway, question)).response()).status,
    view: () => admin.get<BackendView>('GET', '/backends/main'),
    reload: async (more: object) => {
      gateway.writeYaml(yaml(more))
      assert.equal((await admin.ask('POST', '/config/reload')).status, 200)
    },
    breakerSeries: async () => {
      const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
      return metrics.split('\n').filter(line => line.startsWith('weir_backend_breaker_state{'))
    },
  }
}

test('what an operator has said of a backend holds over reloads, also where its URL changes', async t => {
  const { admin, status, view, reload } = await start(t)
  await admin.get('PATCH', '/backends/main', { drained: true })
  assert.equal(await status(), 503)
  const other = await startScriptedBackend(t)
  for (const more of [{ timeouts: { idle: '50s' } }, { drain: false, slots: 2 }, { url: other.url }]) {
    await reload(more)
    assert.equal((await view()).drained, true)
    assert.equal(await status(), 503)
  }
  await reload({ url: other.url, drain: true })
  await admin.get('PATCH', '/backends/main', { drained: false })
  await reload({ url: other.url, drain: true, slots: 2 })
  assert.equal(await status(), 200)
})

test('a call that waits for a backend when a reload drains it is not sent there, and one that has a place ends', async t => {
  const { server, slow, answers, call, view, reload } = await start(t)
  server.use(slow)
  const [first, second] = [await call(), await call()]
  await eventually('one waits', async () => (await view()).waiting === 1)
  await reload({ drain: true })
  assert.equal((await second.response()).status, 503)
  answers.resolve()
  assert.equal((await first.response()).status, 200)
  assert.equal(server.exchangesTo('/v1/chat/completions').length, 1)
  await reload({ drain: false, slots: 2 })
  assert.equal((await view()).drained, false)
})

test('of the breaker of a backend that is no more the metrics say nothing', async t => {
  const { server, status, breakerSeries, reload, view } = await start(t)
  server.use(llamaServer({ chat: hangsUp('reset') }))
  for (let times = 0; (await view()).breakers.every(({ state }) => state === 'closed'); times += 1) {
    assert.ok(times < 20)
    await status()
  }
  assert.deepEqual(await breakerSeries(), ['weir_backend_breaker_state{backend="main",endpoint="chat"} 2'])
  server.use(llamaServer())
  await reload({ timeouts: { idle: '50s' } })
  assert.equal(await status(), 200)
  assert.deepEqual(await breakerSeries(), [])
})
