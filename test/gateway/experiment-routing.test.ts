import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExperimentReportView } from '../../src/schemas/admin/experiments.ts'
import { adminOf } from '../support/admin.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { question } from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const users = Array.from({ length: 24 }, (_, index) => `user-${index}`)

test('who is assigned to an arm stays there, and goes elsewhere only while nothing of the arm takes calls', async t => {
  const arms = { old: await startScriptedBackend(t), new: await startScriptedBackend(t) }
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      backends: {
        old: { url: arms.old.url, engine: 'llama-server', slots: 1 },
        new: { url: arms.new.url, engine: 'llama-server', slots: 1 },
      },
      models: {
        tinychat: {
          targets: [
            { backend: 'old', arm: 'control' },
            { backend: 'new', arm: 'trial' },
          ],
          experiment: { name: 'servers', stickBy: 'x-user' },
        },
      },
    }),
  })
  const admin = adminOf(gateway)
  const ask = (user: string) => gateway.openai.chat.completions.create(question, { headers: { 'x-user': user } })
  const askedOf = (arm: keyof typeof arms) => arms[arm].exchangesTo('/v1/chat/completions').length
  const report = async () => {
    const { arms: views } = await admin.get<ExperimentReportView>('GET', '/experiments/servers')
    return Object.fromEntries(views.map(({ name, requests, errors }) => [name, [requests, errors]]))
  }
  await eventually('the states are known', async () => (await admin.ask('GET', '/experiments/servers')).status === 200)

  // All at once on one slot each: whoever finds its own arm busy waits for it.
  await Promise.all(users.map(ask))
  const [old, fresh] = [askedOf('old'), askedOf('new')]
  assert.ok(old > 0 && fresh > 0 && old + fresh === users.length, `${old} and ${fresh}`)
  await Promise.all(users.map(ask))
  assert.deepEqual([askedOf('old'), askedOf('new')], [2 * old, 2 * fresh])
  await eventually('all are counted', async () => {
    const seen = await report()
    return JSON.stringify(seen) === JSON.stringify({ control: [2 * old, 0], trial: [2 * fresh, 0] })
  })

  await admin.get('PATCH', '/backends/new', { drained: true })
  await Promise.all(users.map(ask))
  assert.deepEqual([askedOf('old'), askedOf('new')], [3 * old + fresh, 2 * fresh])
  await eventually('what another arm had to answer is counted as a failure of its own', async () => {
    const seen = await report()
    return JSON.stringify(seen) === JSON.stringify({ control: [3 * old, 0], trial: [3 * fresh, fresh] })
  })
})
