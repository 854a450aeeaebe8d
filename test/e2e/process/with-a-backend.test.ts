import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startGateway } from '../../support/gateway-process.ts'
import { processTree } from '../../support/process-tree.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, sdk, untilReady } from './calls.ts'

const weir = fileURLToPath(new URL('../../../scripts/weir.js', import.meta.url))

test('"weir start" is the server; with a backend of one’s own it starts no engine', async t => {
  const backend = await startScriptedBackend(t)
  const sinceMs = performance.now()
  const gateway = await startGateway(t, {
    program: weir,
    flags: ['start', '--backend', backend.url],
    env: { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper, WEIR_ADMIN_KEY: adminKey },
  })
  t.diagnostic(`listening after ${Math.round(performance.now() - sinceMs)} ms`)
  await untilReady(gateway.url)
  assert.deepEqual(processTree(gateway.pid), [gateway.pid])
  const { data } = await sdk(gateway.url, adminKey).models.list()
  assert.deepEqual(
    data.map(model => model.id),
    ['tinychat'],
  )
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
})
