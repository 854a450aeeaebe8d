import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { loading } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { ask, question } from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('one that dies is seen as down at once, and one that loads tells no slots', async t => {
  const [asked, told] = [await startScriptedBackend(t, llamaServer({ slots: 2 })), await startScriptedBackend(t)]
  const backends = {
    asked: { url: asked.url, engine: 'llama-server' },
    // Of it nothing has to be asked but whether it is there.
    told: { url: told.url, engine: 'llama-server', slots: 3 },
  }
  const models = Object.fromEntries(
    Object.keys(backends).map(backend => [backend, { targets: [{ backend, model: 'tinychat' }] }]),
  )
  const gateway = await buildGateway(t, { yaml: JSON.stringify({ backends, models }) })
  const view = (name: string) => adminOf(gateway).get<{ state: string; slots: number }>('GET', `/backends/${name}`)
  const isState = (name: string, state: string) =>
    eventually(`${name} is ${state}`, async () => (await view(name)).state === state)
  await Promise.all([isState('asked', 'up'), isState('told', 'up')])
  await Promise.all([asked.stop(), told.stop()])
  for (const model of Object.keys(backends)) {
    // Until its breaker opens, which is when it is looked at.
    for (let times = 0; times < 5; times += 1) await (await ask(t, gateway, { ...question, model })).response()
    await isState(model, 'down')
  }
  asked.use(loading())
  await asked.start()
  await isState('asked', 'loading')
  assert.equal((await view('asked')).slots, 2)
  asked.use(llamaServer({ slots: 5 }))
  await isState('asked', 'up')
  assert.equal((await view('asked')).slots, 5)
  assert.equal((await view('told')).slots, 3)
})
