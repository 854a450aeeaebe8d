import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pausesAfter } from '../../support/behaviours.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, openStream, pepper, sdk, untilReady } from './calls.ts'

/** The line of the log that tells of the `nth` reload, from 1. */
async function reloadLine(gateway: GatewayProcess, nth: number) {
  const lines = () => gateway.logs().filter(({ msg }) => /^configuration (re|could)/.test(String(msg)))
  const line = await eventually(`reload ${nth}`, () => lines()[nth - 1], { withinMs: 10_000 })
  return line ?? {}
}

test('SIGHUP and a change of the file have it read again, and no stream notices', async t => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const backend = await startScriptedBackend(t, llamaServer({ chat: pausesAfter(2, released, { tokens: 4 }) }))
  const folder = makeTempDir(t)
  const file = join(folder, 'weir.yaml')
  const write = (models: object, server: object = {}) => {
    const backends = { main: { url: backend.url, engine: 'llama-server' } }
    writeFileSync(`${file}.new`, JSON.stringify({ server, backends, models }))
    renameSync(`${file}.new`, file)
  }
  const model = { targets: [{ backend: 'main' }] }
  write({ tinychat: model })
  const stores = { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper }
  const gateway = await startGateway(t, { folder, env: { ...stores, WEIR_ADMIN_KEY: adminKey } })
  await untilReady(gateway.url)
  const names = async () => (await sdk(gateway.url, adminKey).models.list()).data.map(({ id }) => id)
  const stream = await openStream(gateway.url, adminKey)

  await t.test('the file', async () => {
    write({ tinychat: model, second: model })
    const line = await reloadLine(gateway, 1)
    assert.deepEqual([line['cause'], line['changed']], ['file', ['models.second']])
    assert.deepEqual(await names(), ['tinychat', 'second'])
  })
  await t.test('one that is not valid', async () => {
    writeFileSync(file, 'models: { tinychat: {} }\n')
    const line = await reloadLine(gateway, 2)
    assert.match(String(line['msg']), /refused/)
    assert.match(JSON.stringify(line['problems']), /weir\.yaml:1:11 models\.tinychat\.targets: The key is missing/)
    assert.deepEqual(await names(), ['tinychat', 'second'])
  })
  await t.test('SIGHUP', async () => {
    process.kill(gateway.pid, 'SIGHUP')
    const line = await reloadLine(gateway, 3)
    assert.deepEqual([line['cause'], /refused/.test(String(line['msg']))], ['SIGHUP', true])
    write({ tinychat: model, third: model }, { maxBody: '1MiB' })
    process.kill(gateway.pid, 'SIGHUP')
    const next = await reloadLine(gateway, 4)
    assert.deepEqual([next['changed'], next['needsRestart']], [['models.second', 'models.third'], ['server.maxBody']])
    assert.deepEqual(await names(), ['tinychat', 'third'])
  })
  release()
  assert.match(await stream.text(), /word3.*data: \[DONE\]\n\n$/s)
  gateway.kill('SIGTERM')
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
})
