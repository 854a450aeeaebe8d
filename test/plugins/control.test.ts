import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { buildGateway } from '../support/gateway.ts'

test('a close right after the start leaves no control socket behind', async t => {
  const { app, dataDir } = await buildGateway(t, { env: { WEIR_BACKEND_URL: 'http://127.0.0.1:9' } })
  await app.close()
  assert.deepEqual(
    readdirSync(dataDir).filter(name => name.startsWith('control')),
    [],
  )
})
