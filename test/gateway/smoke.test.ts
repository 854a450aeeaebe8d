import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('the SDK talks to a backend that was only named by its address', async t => {
  const backend = await startScriptedBackend(t)
  const { openai } = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
  const models = await openai.models.list()
  assert.deepEqual(
    models.data.map(model => model.id),
    ['tinychat'],
  )
  const reply = await openai.chat.completions.create({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] })
  assert.equal(typeof reply.choices[0]?.message.content, 'string')
})
