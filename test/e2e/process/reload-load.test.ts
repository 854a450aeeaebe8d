import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, openStream, pepper, untilReady } from './calls.ts'

const callers = 40
const reloads = 10

test('G06 SIGHUP again and again under load: no stream is dropped, whether it began before, between or after', async t => {
  const engine = llamaServer({ chat: chat({ tokens: 10, everyMs: 50 }), slots: callers })
  const backends = await Promise.all([startScriptedBackend(t, engine), startScriptedBackend(t, engine)])
  const folder = makeTempDir(t)
  const write = (round: number) => {
    // Each takes the place of the other, which goes on until its streams have ended.
    const main = { url: backends[round % 2]?.url, engine: 'llama-server', slots: callers }
    const models = {
      tinychat: { targets: [{ backend: 'main' }] },
      [`round-${round}`]: { targets: [{ backend: 'main' }] },
    }
    const file = join(folder, 'weir.yaml')
    writeFileSync(`${file}.new`, JSON.stringify({ server: { watchConfig: false }, backends: { main }, models }))
    renameSync(`${file}.new`, file)
  }
  write(0)
  const stores = { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper }
  const gateway = await startGateway(t, { folder, env: { ...stores, WEIR_ADMIN_KEY: adminKey } })
  await untilReady(gateway.url)
  const texts: string[] = []
  let isRunning = true
  const call = async () => {
    while (isRunning) texts.push(await (await openStream(gateway.url, adminKey)).text())
  }
  const load = Array.from({ length: callers }, call)
  const reloaded = () => gateway.logs().filter(({ msg }) => msg === 'configuration reloaded').length
  for (let round = 1; round <= reloads; round += 1) {
    write(round)
    gateway.kill('SIGHUP')
    await eventually(`reload ${round}`, () => reloaded() === round)
  }
  isRunning = false
  await Promise.all(load)
  assert.ok(texts.length >= callers * 2, `${texts.length} streams`)
  assert.deepEqual(
    texts.filter(text => !text.endsWith('data: [DONE]\n\n')),
    [],
  )
  for (const backend of backends) assert.ok(backend.exchangesTo('/v1/chat/completions').length > 0)
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
  t.diagnostic(`${texts.length} streams over ${reloads} reloads`)
})
