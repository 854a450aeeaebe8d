import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { eventually } from '../support/eventually.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { makeKey } from '../support/keys.ts'
import { pickReload, served, startReloading, yamlOf } from '../support/reloading.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('an administrator has it read again and is told what has changed, and what waits for a restart', async t => {
  const { backend, gateway, reload, asked } = await startReloading(t)
  const settings = served(backend.url)
  const models = { ...settings.models, other: { aliases: ['another'], targets: [{ backend: 'main' }] } }
  assert.equal((await asked(adminKey, 'another')).status, 404)
  assert.deepEqual(pickReload(await reload({ ...settings, models, server: { maxBody: '1MiB', urlImages: true } })), {
    status: 200,
    outcome: 'applied',
    changed: ['server.urlImages', 'models.other'],
    needsRestart: ['server.maxBody'],
  })
  assert.equal((await asked(adminKey, 'another')).status, 200)
  assert.equal(pickReload(await reload()).outcome, 'unchanged')

  const lines = gateway.logLines.filter(({ msg }) => String(msg).startsWith('configuration re'))
  assert.deepEqual(
    lines.map(({ level, changed, needsRestart }) => [level, changed, needsRestart]),
    [
      [40, ['server.urlImages', 'models.other'], ['server.maxBody']],
      [40, [], ['server.maxBody']],
    ],
  )
  assert.match(String(lines[0]?.['cause']), /^request req_[0-9a-f]{32}$/)
  const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
  assert.match(metrics, /^weir_config_reloads_total\{outcome="applied"\} 1$/m)
  assert.match(metrics, /^weir_config_reloads_total\{outcome="unchanged"\} 1$/m)
  assert.match(metrics, /^weir_config_last_reload_successful 1$/m)
  assert.match(metrics, /^weir_config_last_reload_timestamp_seconds \d{10}/m)
  assert.equal(metrics.match(/^weir_config_info\{sha256="[0-9a-f]{12}"\} 1$/gm)?.length, 1)
})

test('an invalid file changes nothing, says where it is wrong, and shows no secret', async t => {
  const { gateway, reload, asked } = await startReloading(t)
  const secret = 'sk-this-should-not-be-in-the-file-at-all'
  gateway.writeYaml(
    `backends:\n  main: { url: "http://127.0.0.1:9", apiKey: ${secret} }\ntiers: { free: { limit: {} } }\n`,
  )
  const { status, body, error } = await reload()
  assert.deepEqual([status, error?.code], [422, 'invalid_configuration'])
  const problems = body['problems'] as Record<string, unknown>[]
  assert.deepEqual(
    problems.map(({ where, file, line, column, key }) => [where, file, line, column, key]),
    [
      ['weir.yaml:2:46', 'weir.yaml', 2, 46, 'backends.main.apiKey'],
      ['weir.yaml:3:18', 'weir.yaml', 3, 18, 'tiers.free.limit'],
    ],
  )
  for (const { problem, fix } of problems) assert.ok(problem !== '' && fix !== '')
  assert.equal((await asked()).status, 200)
  const line = gateway.logLines.find(({ msg }) => String(msg).startsWith('configuration refused'))
  assert.ok(Array.isArray(line?.['problems']) && line['problems'].length === 2)
  assert.ok(!JSON.stringify([body, gateway.logLines]).includes(secret))
  const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
  assert.match(metrics, /^weir_config_reloads_total\{outcome="refused"\} 1$/m)
  assert.match(metrics, /^weir_config_last_reload_successful 0$/m)
})

test('only an administrator may have it read', async t => {
  const { gateway } = await startReloading(t)
  const key = await makeKey(gateway.app, { account: 'somebody', name: 'a key', tier: 'free' })
  assert.equal((await adminOf(gateway, key).ask('POST', '/config/reload')).status, 403)
})

test("a lowered limit of a tier holds for a known key's next request, and so do its scopes and models", async t => {
  const { backend, gateway, reload, asked } = await startReloading(t, () => ({ tiers: { team: {} } }))
  const key = await makeKey(gateway.app, { account: 'team', name: 'a key', tier: 'team' })
  const settings = served(backend.url)
  for (let i = 0; i < 3; i++) assert.equal((await asked(key)).status, 200)
  await reload({ ...settings, tiers: { team: { limits: { requestsPerDay: 1 } } } })
  assert.equal((await asked(key)).status, 200)
  const denied = await asked(key)
  assert.equal(denied.status, 429)
  assert.match(denied.message, /1 request a day/)
  await reload({ ...settings, tiers: { team: { models: ['other-*'] } } })
  assert.match((await asked(key)).message, /may not use model/)
  await reload({ ...settings, tiers: { team: { scopes: ['models'] } } })
  assert.match((await asked(key)).message, /does not have the scope "chat"/)
  // What administrators see of it is the new one as well.
  const { body } = await adminOf(gateway).ask('GET', '/tiers/team')
  assert.deepEqual(body['scopes'], ['models'])
  await reload({ ...settings, tiers: { team: {} } })
  assert.equal((await asked(key)).status, 200)
})

test('those who ask at the same time are all answered, and what has changed is taken on once', async t => {
  const { backend, gateway, reload } = await startReloading(t)
  gateway.writeYaml(yamlOf({ ...served(backend.url), server: { heartbeat: '9s' } }))
  const answers = await Promise.all(Array.from({ length: 8 }, () => reload()))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.ok(answers.some(({ body }) => body['outcome'] === 'applied'))
  assert.equal(gateway.app.configuration.current.server.heartbeatMs, 9000)
  assert.equal(gateway.logLines.filter(({ msg }) => msg === 'configuration reloaded').length, 1)
})

test('the embedded engine neither ends nor begins by it: that waits for a restart', async t => {
  const gateway = await buildGateway(t, { yaml: yamlOf({}) })
  const admin = adminOf(gateway)
  const backend = await startScriptedBackend(t)
  gateway.writeYaml(yamlOf({ backends: { embedded: { url: backend.url } } }))
  const clash = await admin.ask('POST', '/config/reload')
  assert.equal(clash.status, 422)
  assert.equal((clash.body['problems'] as { key: string }[])[0]?.key, 'backends.embedded')
  gateway.writeYaml(yamlOf(served(backend.url)))
  assert.deepEqual(pickReload(await admin.ask('POST', '/config/reload')), {
    status: 200,
    outcome: 'applied',
    changed: ['backends.main', 'models.tinychat'],
    needsRestart: ['engine'],
  })
  assert.deepEqual(
    gateway.app.catalog.current.models.map(({ id }) => id),
    ['tinychat', 'weir-demo'],
  )
  // Its engine may be starting still, and is not watched before it runs.
  const known = () => Object.keys(gateway.app.backends.states()).join()
  await eventually('both are watched', () => known() === 'main,embedded')
})
