import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { neverAnswers } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { ask, question } from '../support/inference.ts'
import { served, startReloading } from '../support/reloading.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const settings = (url: string, slots: number) => ({
  ...served(url),
  backends: { main: { url, engine: 'llama-server', slots } },
})

test('reloads give whoever waits new slots, and a backend that has moved begins with none taken', async t => {
  const { backend, gateway, reload, asked } = await startReloading(t, ({ url }) => settings(url, 1))
  const admin = adminOf(gateway)
  const seen = async () => {
    const { in_flight, waiting, slots } = await admin.get<Record<string, number>>('GET', '/backends/main')
    return [in_flight, waiting, slots]
  }
  backend.use(llamaServer({ chat: neverAnswers() }))
  for (let number = 0; number < 3; number++) await ask(t, gateway, question)
  await eventually('two wait', async () => (await seen())[1] === 2)
  await reload(settings(backend.url, 3))
  await eventually('all run', async () => (await seen())[0] === 3)
  assert.deepEqual(await seen(), [3, 0, 3])

  const next = await startScriptedBackend(t)
  await reload(settings(next.url, 1))
  assert.equal((await asked()).status, 200)
  assert.deepEqual(await seen(), [0, 0, 1])
  assert.equal(next.exchangesTo('/v1/chat/completions').length, 1)
})
