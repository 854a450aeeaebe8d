import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { buildGateway } from '../../support/gateway.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

test('a file that was refused for what another one lacks is taken when that is there', async t => {
  const backend = await startScriptedBackend(t)
  const keyFile = join(makeTempDir(t), 'backend-key')
  const yaml = (name: string, apiKey?: object) =>
    JSON.stringify({
      backends: { main: { url: backend.url, engine: 'llama-server', ...(apiKey && { apiKey }) } },
      models: { [name]: { targets: [{ backend: 'main' }] } },
    })
  const gateway = await buildGateway(t, { yaml: yaml('old') })
  const names = async () => (await gateway.openai.models.list()).data.map(({ id }) => id)
  const refusals = () => gateway.logLines.filter(({ msg }) => String(msg).startsWith('configuration refused')).length

  gateway.writeYaml(yaml('new', { file: keyFile }))
  await eventually('it is refused', () => refusals() > 0, { withinMs: 10_000 })
  assert.deepEqual(await names(), ['old'])
  writeFileSync(keyFile, 'the-key-of-the-backend')
  await eventually('it is taken', async () => (await names())[0] === 'new', { withinMs: 10_000 })
  assert.equal(refusals(), 1, 'what is refused again for the same reason is told once')
})
